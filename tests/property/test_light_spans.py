"""Light spans against the SDK's: whatever happens to both, they say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.span import TraceState

from otel_flight.recording.light.differences import differences
from otel_flight.recording.light.light_span import LightSpan
from otel_flight.recording.light.light_tracer import LightTracer
from otel_flight.recording.light.self_test import Twins
from tests.support.implementations.light_kinds import LIGHT_TRACERS

SAMPLERS: list[Sampler] = [
    ALWAYS_ON,
    ParentBased(ALWAYS_ON),
    ParentBased(TraceIdRatioBased(0.5)),
    ALWAYS_OFF,
    ParentBased(ALWAYS_OFF),
    ParentBased(ALWAYS_ON, remote_parent_not_sampled=ALWAYS_ON, local_parent_not_sampled=ALWAYS_ON),
]
KEYS = st.one_of(st.sampled_from(["a", "b", "", "http.route"]), st.text(max_size=3))
PLAIN = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=20),
)
VALUES = st.one_of(
    PLAIN, st.lists(st.text(max_size=3), max_size=3), st.none(), st.binary(max_size=3)
)
ATTRIBUTES = st.one_of(
    st.none(), st.dictionaries(KEYS, PLAIN, max_size=8), st.dictionaries(KEYS, VALUES, max_size=6)
)
LIMITS = st.one_of(
    st.none(),
    st.builds(
        SpanLimits,
        max_span_attributes=st.sampled_from([0, 1, 5]),
        max_events=st.sampled_from([0, 1, 5]),
        max_links=st.sampled_from([0, 1]),
        max_span_attribute_length=st.sampled_from([None, 2, 10]),
        max_event_attributes=st.sampled_from([0, 2]),
    ),
)
REMOTE = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.integers(0, 3).map(TraceFlags),
    st.sampled_from([None, TraceState([("a", "b")])]),
)
LINKS = st.lists(st.builds(Link, REMOTE, ATTRIBUTES), max_size=2)
TIMES = st.integers(1, 2**63 - 1)
KINDS = st.sampled_from(list(SpanKind))

Deed = Callable[[Any], object]
DEEDS: st.SearchStrategy[Deed] = st.one_of(
    st.builds(lambda key, value: lambda span: span.set_attribute(key, value), KEYS, VALUES),
    st.builds(lambda given: lambda span: span.set_attributes(given or {}), ATTRIBUTES),
    st.builds(lambda name: lambda span: span.update_name(name), st.text(max_size=5)),
    st.builds(
        lambda name, given, time: lambda span: span.add_event(name, given, time),
        st.text(max_size=5),
        ATTRIBUTES,
        TIMES,
    ),
    st.builds(lambda to, given: lambda span: span.add_link(to, given), REMOTE, ATTRIBUTES),
    st.builds(
        lambda code, why: lambda span: span.set_status(code, why),
        st.sampled_from(list(trace.StatusCode)),
        st.text(max_size=5),
    ),
    st.just(lambda span: span.attributes),
    st.just(lambda span: span.events),
    st.just(lambda span: span.end(77)),
)
STARTS = st.fixed_dictionaries(
    {
        "name": st.text(max_size=5),
        "kind": KINDS,
        "attributes": ATTRIBUTES,
        "links": LINKS,
        "start_time": TIMES,
    }
)


@pytest.mark.parametrize("made", LIGHT_TRACERS)
@pytest.mark.filterwarnings("ignore")
@given(
    sampler=st.sampled_from(SAMPLERS),
    limits=LIMITS,
    around=st.one_of(st.none(), REMOTE),
    lives=st.lists(st.tuples(STARTS, st.lists(DEEDS, max_size=6), TIMES), min_size=1, max_size=4),
)
def test_both_say_the_same(
    made: type[LightTracer],
    sampler: Sampler,
    limits: SpanLimits | None,
    around: SpanContext | None,
    lives: list[tuple[dict[str, Any], list[Deed], int]],
) -> None:
    """Spans below each other, with any arguments and anything done to them, differ in nothing."""
    twins = Twins(sampler, limits, made, is_exported=True)
    ended: tuple[list[Any], list[Any]] = [], []

    for tracer, spans in zip(twins.tracers, ended, strict=True):
        parent = trace.set_span_in_context(
            NonRecordingSpan(around) if around else trace.INVALID_SPAN
        )
        for start, deeds, end_time in lives:
            span = tracer.start_span(context=parent, **start)
            for deed in deeds:
                deed(span)
            parent = trace.set_span_in_context(span)
            span.end(end_time)
            spans.append(span)

    assert twins.have_recorded(ended[1])
    for one, other in zip(*ended, strict=True):
        assert isinstance(other, LightSpan)
        assert list(differences(one, other)) == []
    assert list(twins.export_differences()) == []
