"""A worker of gunicorn or Celery of which four threads make spans until it is killed.

In a file of its own each says which span of each thread has ended last.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

import otel_flight

THREADS = 4
_BETWEEN_SECONDS = 0.001

provider = TracerProvider(resource=Resource({"service.name": "killed"}))
recorder = otel_flight.install(tracer_provider=provider)
tracer = provider.get_tracer("victim")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer whether there is a worker."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]


def begin(**_: object) -> None:
    """Begin to work, in a worker, once it records: until then spans are in its memory only."""
    recorder.start()
    path = Path(os.environ["ENDED_DIRECTORY"]) / str(os.getpid())
    path.write_bytes(bytes(8 * THREADS))
    with path.open("r+b") as file:
        ended = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
    for thread in range(THREADS):
        threading.Thread(target=work, args=(thread, ended), daemon=True).start()


def work(thread: int, ended: memoryview[int]) -> None:
    """Make spans, and note each that has ended."""
    number = 0
    while True:
        number += 1
        tracer.start_span("work", attributes={"thread": thread, "number": number}).end()
        ended[thread] = number
        time.sleep(_BETWEEN_SECONDS)


if "celery" in sys.modules:
    from celery import Celery, signals

    app = Celery("kill_victim", broker="memory://")
    signals.worker_process_init.connect(begin)
