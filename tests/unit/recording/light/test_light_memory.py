"""Light spans are freed when nothing refers to them, and stay whole as long as something does."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from otel_flight.recording.light.light_span import LightSpan
from otel_flight.recording.light.light_tracer import LightTracer
from otel_flight.recording.light.self_test import Twins
from tests.support.implementations.light_kinds import LIGHT_TRACERS


@pytest.fixture(params=LIGHT_TRACERS)
def tracer(request: pytest.FixtureRequest) -> Any:
    """Return a tracer that makes light spans."""
    made: type[LightTracer] = request.param
    return Twins(ParentBased(ALWAYS_ON), None, made).tracers[1]


class Holding(int):
    """A number that may refer to something."""

    held: Any


def _by_itself(span: Any) -> None:
    span.itself = span


def _by_its_name(span: Any) -> None:
    name = Holding(5)
    name.held = span
    span.update_name(name)


def _by_its_status(span: Any) -> None:
    span.set_status(trace.StatusCode.ERROR, "why")
    span._status.held = span


def _by_its_attributes(span: Any) -> None:
    span._attributes._dict["itself"] = span


def _by_its_dict(span: Any) -> None:
    span._own["itself"] = [span]


def _by_its_start(span: Any) -> None:
    time = Holding(5)
    time.held = span
    span._start_time = time


WAYS = [
    _by_itself,
    _by_its_name,
    _by_its_status,
    _by_its_attributes,
    _by_its_dict,
    _by_its_start,
]


@pytest.mark.parametrize("tie", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_a_span_that_refers_to_itself_is_collected(tracer: Any, tie: Callable[[Any], None]) -> None:
    """Whatever a program puts into it, garbage collection finds it."""
    span = tracer.start_span("span", attributes={"a": 1})
    tie(span)
    span.end(5)
    seen = weakref.ref(span)
    tracer._switch.recorder.ended = []
    del span
    gc.collect()

    assert seen() is None


def test_a_span_of_another_class_goes_on(tracer: Any) -> None:
    """A program may let a span be of a subclass; it has its children, and ends."""
    root = tracer.start_span("root", start_time=1)

    class Theirs(type(root)):  # type: ignore[misc]
        """A span of someone's own."""

        def set_attribute(self, key: str, value: Any) -> None:
            super().set_attribute(key, f"their {value}")

    root.__class__ = Theirs
    root.set_attribute("a", "value")
    child = tracer.start_span("child", trace.set_span_in_context(root))
    child.end()
    root.end()

    assert isinstance(child, LightSpan)
    assert child.parent is root.get_span_context()
    assert root.attributes == {"a": "their value"}
    assert not root.is_recording()


def test_a_collection_may_run_anywhere(tracer: Any) -> None:
    """A finalizer that makes, changes and ends spans within the making of one leaves both whole."""
    around = trace.set_span_in_context(trace.INVALID_SPAN)
    spans: list[Any] = []

    class Finalized:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            for span in spans:
                span.set_attribute("later", 1)
                span._context = trace.SpanContext(7, 8, False)
                assert span.attributes is not None
            tracer.start_span("finalizer", around, attributes={"a": 1}).end()

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for number in range(300):
            Finalized()
            root = tracer.start_span("root", around, attributes={"number": number})
            spans[:] = [root]
            below = trace.set_span_in_context(root)
            child = tracer.start_span("child", below, attributes={"number": number})
            assert child.parent is not None
            child.set_attributes({"a": 1, "b": "two"})
            child.end()
            root.end()
            assert child.attributes == {"number": number, "a": 1, "b": "two"}
    finally:
        gc.set_threshold(*before)


def test_nothing_is_left_of_many_spans(tracer: Any) -> None:
    """As many objects are there after thousands of spans as before them."""
    logging.disable(logging.CRITICAL)  # of what is done too late
    recorder = tracer._switch.recorder

    def live() -> None:
        for _ in range(500):
            root = tracer.start_span("root", attributes={"a": 1, "b": ["odd"]})
            below = trace.set_span_in_context(root)
            with tracer.start_as_current_span("child", below, attributes={"a": 1}) as child:
                child.set_attribute("x", 1)
                child.set_attributes({"y": 2, "z": [1]})
                child.add_event("event", {"a": 1})
                child.get_span_context()
                child.update_name("other")
            child.end()
            left = tracer.start_as_current_span("left", below)
            left.__enter__()
            del left
            with pytest.raises(TypeError):
                tracer.start_span(nonsense=1)
            tracer.start_span("late", below, start_time=-5).end(2**70)
            root.end()
            recorder.ended = []

    try:
        live()
        gc.collect()
        before = sys.getallocatedblocks()
        live()
        gc.collect()
        grown = sys.getallocatedblocks() - before
    finally:
        logging.disable(logging.NOTSET)

    assert grown < 250


PROGRAM = """
from opentelemetry.sdk import trace
trace.time_ns = lambda: 5  # as a test that stands still in time has it
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from otel_flight.recording.light.compiled_span import COMPILED
from otel_flight.recording.light.light_tracer import LightTracer
from otel_flight.recording.light.self_test import Twins
for made in (LightTracer, COMPILED.tracer if COMPILED else LightTracer):
    span = Twins(ALWAYS_ON, None, made).tracers[1].start_span("span")
    span.end()
    assert (span.start_time, span.end_time) == (5, 5), (made, span.start_time)
"""


def test_the_clock_is_the_sdks_whatever_it_is() -> None:
    """One that was there before us, too."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
