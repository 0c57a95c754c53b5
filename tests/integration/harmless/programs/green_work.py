"""Works with greenlets; the first argument says when it patches, the second with which library.

Prints how many pieces of work were done, and what became of the incident that one of them made.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

WHEN, LIBRARY = sys.argv[1:]


def patch(now: str) -> None:
    """Patch the standard library, if this is when it is to be done."""
    if now == WHEN and LIBRARY == "gevent":
        importlib.import_module("gevent.monkey").patch_all()
    elif now == WHEN:
        importlib.import_module("eventlet").monkey_patch()


patch("before import")
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.trace import StatusCode  # noqa: E402

import otel_flight  # noqa: E402

patch("after import")
provider = TracerProvider(shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider, tail_seconds=0.1)
tracer = provider.get_tracer("work")
patch("after install")
tracer.start_span("first").end()
patch("after the first span")
if WHEN == "after a fork" and (child := os.fork()):
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    recorder.stop()
    sys.exit(code)
patch("after a fork")
spawn = importlib.import_module(LIBRARY).spawn
done = 0


def work(number: int) -> None:
    """Do pieces of work that wait, of which one fails."""
    global done
    for piece in range(20):
        with tracer.start_as_current_span(f"piece {number}") as span:
            time.sleep(0.01)
            if (number, piece) == (1, 10):
                span.set_status(StatusCode.ERROR)
        done += 1


for greenlet in [spawn(work, number) for number in range(3)]:
    greenlet.join() if LIBRARY == "gevent" else greenlet.wait()
print("done", done)
until = time.monotonic() + 20
while time.monotonic() < until:
    if recorder.statistics().delivery.delivered_incidents:
        break
    time.sleep(0.02)
if recorder is not None:
    found = recorder.statistics()
    print("written", found.incidents_written, "delivered", found.delivery.delivered_incidents)
    print("errors", found.errors, found.delivery.last_error)
    recorder.stop()
