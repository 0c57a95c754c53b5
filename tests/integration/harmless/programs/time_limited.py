"""Spans in a program whose signal handler raises, wherever our code is just then.

Argument: how many spans. It prints how often the handler raised without the program seeing it, how
many spans are recorded otherwise than they were, and what the recorder noted.
"""

from __future__ import annotations

import random
import signal
import sys
from types import FrameType
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

import otel_flight

LONGEST_SECONDS: Final = {"plain": 0.0001, "odd": 0.001, "long": 0.001, "event": 0.0002}
"""The kinds of spans, each with about how long its end may take."""
ATTRIBUTES: Final = {"text": "t" * 20, "list": (1, 2, 3), "number": 7}
ODD: Final = {"deep": [1 << 70, {"a": 1 << 70}]}
"""This is a value that has to be converted."""
CONVERTED: Final = {"deep": [hex(1 << 70), {"a": hex(1 << 70)}]}


class SoftLimit(Exception):  # noqa: N818
    """What Celery, say, raises into a task that takes too long."""


def time_out(_number: int, _frame: FrameType | None) -> None:
    """Raise into whatever the program does."""
    global raised
    raised += 1
    raise SoftLimit


def end_in_time(tracer: Any, kind: str) -> None:
    """Make a span that ends, or is interrupted while it does."""
    span = tracer.start_span(kind, attributes=ATTRIBUTES)
    if kind == "odd":
        span._attributes._dict["odd"] = ODD
    if kind == "long":
        span.set_attribute("long", "x" * 200_000)
    if kind == "event":
        span.add_event("event", ATTRIBUTES)
    signal.setitimer(signal.ITIMER_REAL, 1e-6 + random.random() * LONGEST_SECONDS[kind])
    span.end()


def is_whole(span: Any) -> bool:
    """Return whether a recorded span says what it should."""
    found = {**span.attributes, "list": tuple(span.attributes["list"])}
    long = found.pop("long", "")
    wanted = {**ATTRIBUTES, "odd": CONVERTED} if span.name == "odd" else ATTRIBUTES
    events = [
        {**event.attributes, "list": tuple(event.attributes["list"])} for event in span.events
    ]
    is_long = str(long).startswith("x" * 100) == (span.name == "long")
    return found == wanted and is_long and events == [ATTRIBUTES] * (span.name == "event")


raised = caught = 0
provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider, export="off", error_span=False)
recorder.start()
signal.signal(signal.SIGALRM, time_out)
for number in range(int(sys.argv[1])):
    try:
        try:
            end_in_time(provider.get_tracer("t"), [*LONGEST_SECONDS][number % 4])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except SoftLimit:
        caught += 1
signal.signal(signal.SIGALRM, signal.SIG_IGN)
spans = [found.record for found in recorder.snapshot().window.spans()]
print(raised - caught, sum(not is_whole(span) for span in spans), recorder.statistics().errors)
print(raised, len(spans))
