"""A worker of Celery that has one task, sent by itself, and ends after it."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from opentelemetry.sdk.trace import TracerProvider

import otel_flight

provider = TracerProvider()
recorder = otel_flight.install(tracer_provider=provider, tail_seconds=60, export="off")
tracer = provider.get_tracer("worker")
app = Celery("celery_app", broker="memory://")
app.conf.broker_connection_retry_on_startup = True


@app.task  # type: ignore[untyped-decorator]
def work() -> None:
    """Record a span, and make an incident that is open when the process ends."""
    tracer.start_span(f"in {os.getpid()}").end()
    recorder.trigger("child")


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def send(**_: Any) -> None:
    """Send the task."""
    work.delay()
