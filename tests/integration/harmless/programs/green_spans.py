"""Lets two greenlets of the library that it is told do the same to a span that ended.

The SDK warns of that with the span's lock held, and the program's log handler gives way to the
other greenlet. Prints the kind of the span, and how often that was done.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time

LIBRARY = sys.argv[1]
patching = importlib.import_module("gevent.monkey" if LIBRARY == "gevent" else "eventlet")
patching.patch_all() if LIBRARY == "gevent" else patching.monkey_patch()

from opentelemetry.sdk.trace import TracerProvider  # noqa: E402

import otel_flight  # noqa: E402


class Handler(logging.Handler):
    """Takes a moment for each record, without the lock of handlers."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Give way."""
        time.sleep(0.001)
        return True


logging.getLogger("opentelemetry").addHandler(Handler())
provider = TracerProvider(shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider)
recorder.start()
spawn = importlib.import_module(LIBRARY).spawn
span = provider.get_tracer("work").start_span("shared")
span.end()
done = 0


def set_late() -> None:
    """Set what can be set no more."""
    global done
    for number in range(5):
        span.set_attribute("late", number)
        done += 1


for greenlet in [spawn(set_late) for _ in range(2)]:
    greenlet.join() if LIBRARY == "gevent" else greenlet.wait()
print(type(span).__name__, done)
recorder.stop()
