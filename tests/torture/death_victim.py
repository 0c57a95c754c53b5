"""A worker of gunicorn, uWSGI or Celery that is ended by its server, for what it does too long."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

import otel_flight

provider = TracerProvider(resource=Resource({"service.name": "ended"}))
otel_flight.install(tracer_provider=provider, slow_open_root=False)
tracer = provider.get_tracer("victim")
lock = threading.Lock()


def match() -> None:
    """Match a pattern that takes twice as long for each character, with the GIL."""
    re.match(r"(a+)+$", "a" * 60 + "b")


def deadlock() -> None:
    """Wait for a lock that this very thread has."""
    with lock:
        lock.acquire()


def wait() -> None:
    """Sleep too long."""
    time.sleep(60)


def serve(path: str) -> None:
    """Do what a path says in a request."""
    with tracer.start_as_current_span(f"GET {path}"):
        time.sleep(0.3)
        if path != "/ok":
            globals()[path[1:]]()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve a request."""
    serve(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]


if "celery" in sys.modules:
    from celery import Celery

    app = Celery("death_victim", broker="filesystem://")
    app.conf.broker_transport_options = {
        f"data_folder_{each}": "messages" for each in ("in", "out")
    } | {"control_folder": "control"}
    app.conf.task_time_limit = float(os.environ.get("TASK_TIME_LIMIT", "0")) or None
    app.task(serve, name="serve")
