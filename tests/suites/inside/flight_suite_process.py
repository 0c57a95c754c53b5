"""Puts a tracer provider, and the recorder where it is asked for, into each process of a suite.

A `.pth` file of the suite's environment imports this while Python starts, so that processes which
the tests start have both, too. Without the variable `FLIGHT_SUITE` it does nothing.
"""

from __future__ import annotations

import os
import time
from typing import Any

MODE = os.environ.get("FLIGHT_SUITE", "")
"""Is `plain` for the SDK alone, `with` for the recorder in it, and empty outside a suite's run."""

PROVIDER = os.environ.get("FLIGHT_SUITE_PROVIDER", "ours")
"""Is `ours` for one global provider that is there before the tests; `theirs` where the tests set
providers as the global one, `each` where they make many: the recorder goes into all of those."""

_open_spans: list[Any] = []


def begin() -> None:
    """Make the provider, install the recorder, and leave a span open for as long as this lives."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    if PROVIDER == "ours":
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
        _install(provider)
        _open_spans.append(trace.get_tracer("suite").start_span("process"))
    elif PROVIDER == "theirs":
        set_provider = trace.set_tracer_provider

        def set_tracer_provider(tracer_provider: Any) -> None:
            set_provider(tracer_provider)
            if isinstance(tracer_provider, TracerProvider):
                _install(tracer_provider)

        trace.set_tracer_provider = set_tracer_provider
    else:
        make = TracerProvider.__init__

        def __init__(self: Any, *arguments: Any, **named: Any) -> None:
            make(self, *arguments, **named)
            _install(self)

        TracerProvider.__init__ = __init__  # type: ignore[method-assign]


def let_threads_start() -> None:
    """Have an incident written, so that all threads of the recorder run before the first test.

    They come once and stay; a test that counts threads would meet them by chance.
    """
    if MODE != "with" or PROVIDER != "ours":
        return
    import otel_flight

    recorder = otel_flight.get_recorder()
    assert recorder is not None
    recorder.trigger("the suite begins")
    deadline = time.monotonic() + 10
    while not recorder.statistics().incidents_written and time.monotonic() < deadline:
        time.sleep(0.01)


def make_spans(number: int) -> None:
    """Make a trace of so many spans, some of them failed."""
    from opentelemetry import trace

    if PROVIDER != "ours":
        return
    tracer = trace.get_tracer("suite")
    for index in range(number):
        with tracer.start_as_current_span("busy", attributes={"index": index}) as span:
            if index % 5 == 0:
                span.set_status(trace.StatusCode.ERROR)


def span_around_test(test_id: str) -> Any:
    """Return a context manager that makes a span current for a test."""
    from opentelemetry import context, trace

    if PROVIDER == "ours":
        return trace.get_tracer("suite").start_as_current_span("test", attributes={"id": test_id})
    return trace.use_span(trace.get_current_span(context.Context()))


def _install(provider: Any) -> None:
    if MODE == "with":
        import otel_flight

        otel_flight.install(tracer_provider=provider)


if MODE == "light":
    import flight_suite_light

    flight_suite_light.begin()
if MODE:
    begin()
