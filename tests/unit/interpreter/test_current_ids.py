"""The span that is current is found, and looking for it changes nothing for the application."""

from __future__ import annotations

import contextvars
import subprocess
import sys

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.interpreter.current_ids import current_ids, ids_in

PROGRAM = """
import contextvars, gc
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from otel_flight.interpreter.current_ids import current_ids

contextvars.ContextVar("another").set(1)
gc.callbacks.append(lambda phase, details: current_ids())
gc.set_threshold(1, 1, 1)
tracer = TracerProvider(shutdown_on_exit=False).get_tracer("program")
for number in range(2000):
    with tracer.start_as_current_span("root"):
        pass
    assert not trace.get_current_span().get_span_context().is_valid, number
"""


def test_zeros_without_a_span() -> None:
    """Nothing is current: zeros."""
    assert contextvars.Context().run(current_ids) == (0, 0)
    assert ids_in(contextvars.Context()) == (0, 0)
    assert ids_in(None) == (0, 0)


def test_the_ids_of_the_current_span() -> None:
    """The ids are those of the span, for the thread and in a copy of its context."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("root") as span:
        ids = span.get_span_context()
        assert current_ids() == (ids.trace_id, ids.span_id)
        assert ids_in(contextvars.copy_context()) == (ids.trace_id, ids.span_id)
    with trace.use_span(trace.INVALID_SPAN):
        assert current_ids() == (0, 0)


def test_a_look_within_a_collection_leaves_no_freed_context_behind() -> None:
    """Each span that ends is gone for the application, whenever a collection runs."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
