"""A worker of Celery: much goes other than well in it, and nothing is wrong until a fault is."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Final

import redis
from celery import Celery
from celery.exceptions import Ignore
from celery.signals import worker_ready
from celery.utils.log import get_task_logger
from opentelemetry import trace

LONG_SECONDS: Final = 1.5
REDIS: Final = os.environ["REDIS"]
app: Any = Celery("celery_shop", broker=REDIS, backend=REDIS)
app.conf.update(broker_connection_retry_on_startup=True)
logger = get_task_logger("shop")
tracer = trace.get_tracer("shop")


@worker_ready.connect
def begin(**_: Any) -> None:
    """Wait for messages beside Celery, and do something now and then, as a scheduler would."""
    threading.Thread(target=_poll, daemon=True).start()
    threading.Thread(target=_clean_up, daemon=True).start()


def _poll() -> None:
    client = redis.Redis.from_url(REDIS)
    while True:
        client.brpop(["letters"], timeout=2)


def _clean_up() -> None:
    while True:
        with tracer.start_as_current_span("clean up"):
            time.sleep(2)
        time.sleep(1)


@app.task
def add(first: int, second: int) -> int:
    """Return a sum."""
    return first + second


@app.task(bind=True, default_retry_delay=0)
def retried(self: Any) -> str:
    """Succeed at the second time."""
    if self.request.retries == 0:
        raise self.retry(exc=ConnectionError("away for a moment"), countdown=0)
    return "done"


@app.task
def ignored() -> None:
    """Have no result."""
    raise Ignore


@app.task
def script() -> str:
    """Run a script that Redis does not have yet."""
    client = redis.Redis.from_url(REDIS)
    return str(client.register_script(f"return {time.time_ns()}")())


@app.task
def bug() -> str:
    """Have a bug."""
    prices: dict[str, str] = {}
    return prices["pear"]


@app.task(bind=True, max_retries=1)
def exhausted(self: Any) -> None:
    """Fail each time."""
    try:
        raise ConnectionError("away for long")
    except ConnectionError as error:
        raise self.retry(exc=error, countdown=0) from error


@app.task
def swallowed() -> str:
    """Write an exception down, and go on."""
    try:
        raise ArithmeticError("a negative price")
    except ArithmeticError:
        logger.exception("the discount is left out")
    return "done"


@app.task(soft_time_limit=1)
def limited() -> None:
    """Take longer than it may."""
    time.sleep(20)


@app.task
def slow() -> str:
    """Take long."""
    time.sleep(LONG_SECONDS)
    return "done"


@app.task
def thread() -> None:
    """Begin what dies."""

    def die() -> None:
        raise OSError("the printer is on fire")

    threading.Thread(target=die, name="printer").start()
