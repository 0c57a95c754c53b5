"""Tasks of Celery: one answers, one is slow, one fails."""

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery
from celery.utils.log import get_task_logger
from process_facts import process_facts

app = Celery("tasks", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.update(worker_hijack_root_logger=True, broker_connection_retry_on_startup=True)
logger = get_task_logger("shop")


@app.task
def process() -> dict[str, Any]:
    """Return what the process of the worker is like."""
    return process_facts()


@app.task
def add(first: int, second: int) -> int:
    """Return a sum, after a moment of waiting and of work."""
    time.sleep(0.005)
    logger.warning("%d and %d are added", first, second)
    return first + second + sum(range(20_000)) * 0


@app.task
def slow() -> str:
    """Answer after longer than a task may take."""
    time.sleep(1.2)
    return "at last"


@app.task
def fail() -> str:
    """Fail as a program with a mistake does."""
    prices: dict[str, int] = {}
    return str(prices["pear"])
