"""A light span is the SDK's in all that a program can do with it."""

from __future__ import annotations

import copy
import gc
import logging
import threading
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.sdk.util import BoundedList

from otel_flight.recording.light.light_span import _LONGEST_NAME, _MOST_NAMES, LightSpan, _names
from otel_flight.recording.light.light_tracer import LightTracer, adopt, release
from otel_flight.recording.light.self_test import Twins, are_light_spans_right
from tests.support.implementations.light_kinds import LIGHT_TRACERS


@pytest.fixture(params=LIGHT_TRACERS)
def twins(request: pytest.FixtureRequest) -> Twins:
    """Return two tracers that make the same spans; the second one light ones."""
    return Twins(ParentBased(ALWAYS_ON), None, request.param)


@pytest.mark.parametrize("made", LIGHT_TRACERS)
def test_light_spans_are_right_with_this_sdk(made: type[LightTracer]) -> None:
    """They are made here: nothing else in these tests would show it if they were not."""
    assert are_light_spans_right(made)


def test_it_is_a_span_of_the_api_and_of_the_sdk(twins: Twins) -> None:
    """`isinstance` says so; it has weak references and free attributes."""
    span: Any = twins.tracers[1].start_span("a")
    span.free = 1

    for kind in (LightSpan, trace.Span, sdk_trace.Span, sdk_trace.ReadableSpan):
        assert isinstance(span, kind)
    referred: Any = weakref.ref(span)()
    assert referred is span
    assert span.free == 1
    assert repr(span) == repr(twins.tracers[0].start_span("a"))
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        span.other  # noqa: B018


def test_its_parts_are_the_sdks_own(twins: Twins) -> None:
    """Who reads the private fields finds what is in them in a span of the SDK."""
    span = twins.tracers[1].start_span("a", attributes={"a": 1})

    assert isinstance(span._attributes, BoundedAttributes)
    assert isinstance(span._events, BoundedList)
    assert isinstance(span._links, BoundedList)
    assert span._limits is twins.tracers[1]._span_limits
    assert span._span_processor is twins.tracers[1].span_processor
    assert span._instrumentation_info is twins.tracers[1].instrumentation_info
    assert span._attributes is span._attributes


def test_what_is_set_after_someone_looked_is_seen(twins: Twins) -> None:
    """The attributes that were made for a reader are those that the span goes on with."""
    for tracer in twins.tracers:
        span = tracer.start_span("a", attributes={"a": 1})
        seen = span.attributes
        span.set_attribute("b", 2)

        assert dict(span.attributes) == dict(seen) == {"a": 1, "b": 2}


def test_what_instrumentations_do_to_each_span_needs_nothing_of_the_sdks(twins: Twins) -> None:
    """Setting again what it started with, and the status of an answer that is none, is ordinary."""
    started = {"a": 1, "b": 2}
    spans: list[Any] = [each.start_span("a", attributes=started) for each in twins.tracers]
    for span in spans:
        span.set_attribute("a", 3)
        span.set_attributes({"c": 4, "b": 5})
        span.set_status(trace.Status(trace.StatusCode.UNSET))

    assert spans[1]._own is not None
    assert list(spans[1].attributes.items()) == list(spans[0].attributes.items())
    assert list(spans[1].attributes.items()) == [("a", 3), ("c", 4), ("b", 5)]
    for span in spans:
        assert (span.kind, span.name, span.status.status_code) == (
            trace.SpanKind.INTERNAL,
            "a",
            trace.StatusCode.UNSET,
        )


@pytest.mark.parametrize("made", LIGHT_TRACERS)
def test_a_full_span_takes_again_what_it_has(made: type[LightTracer]) -> None:
    """Setting a key again lets no other one go."""
    limits = sdk_trace.SpanLimits(max_span_attributes=2)
    spans: list[Any] = [
        tracer.start_span("a", attributes={"a": 1, "b": 2})
        for tracer in Twins(ParentBased(ALWAYS_ON), limits, made).tracers
    ]
    for span in spans:
        span.set_attribute("a", 3)
        span.set_attributes({"b": 4})

    for span in spans:
        assert list(span.attributes.items()) == [("a", 3), ("b", 4)]
        assert span.dropped_attributes == 0


def test_the_arguments_stay_the_programs_own(twins: Twins) -> None:
    """A dict that was given is copied, so that it may change."""
    given = {"a": 1}
    span = twins.tracers[1].start_span("a", attributes=given)
    given["a"] = 2

    assert span.attributes == {"a": 1}


def test_a_copy_shares_what_a_copy_of_the_sdks_shares(twins: Twins) -> None:
    """What is set on the span is seen in the copy; its name and end are its own."""
    seen = []
    for tracer in twins.tracers:
        span: Any = tracer.start_span("a", attributes={"a": 1})
        copied = copy.copy(span)
        span.set_attribute("b", 2)
        copied.update_name("c")
        copied.end()
        seen.append((span.name, copied.name, copied.attributes == span.attributes))
        seen.append((span.is_recording(), copied.is_recording(), copied.context is span.context))
        span.end()

    assert seen[:2] == seen[2:]
    assert seen[0] == ("a", "c", True)


def test_a_childs_parent_is_its_context(twins: Twins) -> None:
    """The context of a span is one object, for whoever asks for it."""
    span = twins.tracers[1].start_span("a")
    child = twins.tracers[1].start_span("b", trace.set_span_in_context(span))

    assert child.parent is span.get_span_context() is span.context


def test_it_ends_once(twins: Twins, caplog: pytest.LogCaptureFixture) -> None:
    """What is done to it afterwards changes nothing, and is logged as the SDK logs it."""
    messages = []

    for tracer, recorder in zip(twins.tracers, twins.recorders, strict=True):
        caplog.clear()
        span = tracer.start_span("a", attributes={"a": 1}, start_time=1)
        span.end(2)
        span.end(3)
        span.set_attribute("a", 2)
        span.set_attributes({"b": 2})
        span.update_name("b")
        span.add_event("late")
        assert not span.is_recording()
        assert recorder.count == 1
        assert (span.name, dict(span.attributes), span.end_time) == ("a", {"a": 1}, 2)
        messages.append([(record.name, record.getMessage()) for record in caplog.records])

    assert messages[0] == messages[1]


def test_of_many_threads_one_ends_it(twins: Twins, caplog: pytest.LogCaptureFixture) -> None:
    """A span that all threads end at once is recorded once."""
    caplog.set_level(logging.ERROR, "opentelemetry.sdk.trace")
    for _ in range(50):
        span = twins.tracers[1].start_span("a")
        barrier = threading.Barrier(4)

        def end(span: Any = span, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            span.end()

        threads = [threading.Thread(target=end) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert twins.recorders[1].count == 50


def test_it_is_in_no_cycle(twins: Twins) -> None:
    """A span that ended is gone with the last reference to it, whatever was asked of it."""
    gc.disable()
    try:
        for asked in ("name", "attributes", "events", "links", "status", "resource"):
            span = twins.tracers[1].start_span("a", attributes={"a": 1})
            getattr(span, asked)
            span.end()
            getattr(twins.recorders[1], "ended", []).clear()
            reference = weakref.ref(span)
            del span
            assert reference() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("value", [None, ["a"], b"a", {"a": 1}, object()])
def test_odd_values_are_left_to_the_sdk(twins: Twins, value: Any) -> None:
    """What is no plain value becomes what the SDK makes of it."""
    found = []

    for tracer in twins.tracers:
        span = tracer.start_span("a", attributes={"a": value})
        span.set_attribute("b", value)
        span.set_attributes({"c": value})
        found.append({key: str(kept)[:10] for key, kept in span.attributes.items()})

    assert found[0] == found[1]


class Named(str):
    """A string of another type."""

    __slots__ = ()


@pytest.mark.parametrize("name", ["", 1, b"a", None, Named("a"), Named("other"), ("a",)])
def test_odd_names_are_left_to_the_sdk(twins: Twins, name: Any) -> None:
    """Also where they are equal to one that is known to be an ordinary name."""
    attributes = []
    for tracer in twins.tracers:
        tracer.start_span("s", attributes={"a": 0})
        span: Any = tracer.start_span("s", attributes={name: 1, "b": 2})
        span.set_attributes({name: 3, "c": 4})
        span.end()
        attributes.append([(type(key), key, value) for key, value in span.attributes.items()])

    assert attributes[0] == attributes[1]


def test_names_that_are_remembered_do_not_grow_without_end(twins: Twins) -> None:
    """A program may make up names, and long ones."""
    for number in range(100):
        made = {f"{number}.{each}": each for each in range(50)} | {"x" * 300: 1}
        twins.tracers[1].start_span("s", attributes=made).end()

    assert len(_names) <= _MOST_NAMES
    assert max(map(len, _names), default=0) <= _LONGEST_NAME


@pytest.mark.parametrize("made", LIGHT_TRACERS)
def test_a_tracer_that_was_released_meanwhile_makes_a_span_of_the_sdks(
    made: type[LightTracer],
) -> None:
    """A thread may be at the beginning of a start just then."""
    tracer: Any = sdk_trace.TracerProvider(shutdown_on_exit=False).get_tracer("t")

    span: Any = made.start_span(tracer, "s", kind=trace.SpanKind.CLIENT, attributes={"a": 1})

    assert type(span) is sdk_trace._Span
    assert (span.name, span.kind) == ("s", trace.SpanKind.CLIENT)
    assert span.attributes == {"a": 1}


def test_a_tracer_is_of_our_class_when_all_is_decided() -> None:
    """From then on other threads start spans by what was decided."""
    tracer = sdk_trace.TracerProvider(shutdown_on_exit=False).get_tracer("t")
    seen: list[object] = []
    switch: Any = SimpleNamespace(refresh=lambda asked: seen.append(type(asked)))

    assert adopt(tracer, switch)

    assert seen[0] is sdk_trace.Tracer
    assert type(tracer) is LightTracer


@pytest.mark.parametrize("made", LIGHT_TRACERS)
def test_a_tracer_that_is_released_in_the_middle_of_a_start_goes_on(
    made: type[LightTracer],
) -> None:
    """Another thread may uninstall the recorder while a sampler or an id generator is asked."""
    tracer: Any = Twins(ParentBased(ALWAYS_ON), None, made).tracers[1]

    class Releasing(RandomIdGenerator):
        def generate_span_id(self) -> int:
            release(tracer)
            return super().generate_span_id()

    tracer.id_generator = Releasing()

    span = tracer.start_span("root", attributes={"a": 1})
    span.end()

    assert type(tracer) is sdk_trace.Tracer
    assert (span.name, span.attributes) == ("root", {"a": 1})
