"""A consumer that polls a broker, which at some time does not answer any more."""

from __future__ import annotations

import threading

from opentelemetry import trace
from switch import IS_FAULTY, begin, stay

tracer = trace.get_tracer("shop")
answered = threading.Event()


def consume() -> None:
    """Take a message from the broker, and forget it."""
    with tracer.start_as_current_span("consume"):
        span = tracer.start_span("poll broker")
        if not IS_FAULTY:
            answered.set()
    answered.wait()
    span.end()


consumer = threading.Thread(target=consume, name="consumer", daemon=True)
consumer.start()
begin()
if not IS_FAULTY:
    consumer.join()
stay()
