"""One service for servers with many workers, all of which fail while a file is there."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from celery import Celery
from opentelemetry import trace
from opentelemetry.trace import SpanKind

_BROKEN = Path(os.environ["BROKEN_FILE"])
_SECONDS = 0.05

tracer = trace.get_tracer("orders")
celery = Celery("broken_together", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
celery.conf.update(broker_connection_retry_on_startup=True)


def _look_up() -> None:
    if _BROKEN.exists():
        raise ConnectionError("the database is away")


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Say which process has served a WSGI request."""
    status = "200 OK"
    try:
        with tracer.start_as_current_span("GET /orders", kind=SpanKind.SERVER):
            time.sleep(_SECONDS)
            _look_up()
    except ConnectionError:
        status = "500 Internal Server Error"
    start_response(status, [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


async def asgi(scope: dict[str, Any], receive: Any, send: Callable[..., Awaitable[None]]) -> None:
    """Say which process has served an ASGI request."""
    if scope["type"] != "http":
        return
    status = 200
    try:
        with tracer.start_as_current_span("GET /orders", kind=SpanKind.SERVER):
            await asyncio.sleep(_SECONDS)
            _look_up()
    except ConnectionError:
        status = 500
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


@celery.task
def order() -> str:
    """Say which process has done a task, and whether it failed."""
    try:
        with tracer.start_as_current_span("order", kind=SpanKind.CONSUMER):
            time.sleep(_SECONDS)
            _look_up()
    except ConnectionError:
        return f"500 {os.getpid()}"
    return f"200 {os.getpid()}"
