"""Any span goes into the ring and comes out as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_flight.interpreter.sdk import internals as sdk_internals
from otel_flight.recording.encoding.fast_encoder import IS_FAST
from otel_flight.records import records
from otel_flight.records.decoder import decode_records
from otel_flight.records.records import Record, SpanStart
from otel_flight.ring.layout import LANE_SPANS
from tests.support.implementations.hot_paths import HOT_PATHS
from tests.support.rigs.recording_rig import RecordingRig
from tests.support.spans.span_strategies import (
    SpanPlan,
    facts_of_record,
    facts_of_span,
    span_plans,
    time_as_recorded,
    types_of,
)

same_rig = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
"""All examples may share a ring: that they follow each other is part of what is tried."""


@pytest.fixture(params=HOT_PATHS)
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RecordingRig]:
    """A session with a ring that holds several segments."""
    with RecordingRig(
        tmp_path / "ring", window_bytes="512KiB", compiled=request.param, redact=False
    ) as rig:
        yield rig


@same_rig
@given(plan=span_plans)
def test_a_recorded_span_is_the_span(rig: RecordingRig, plan: SpanPlan) -> None:
    """Ids, times, names, attributes, events, links, status, scope and resource come back."""
    span = plan.perform(rig.processor)

    recorded = rig.newest()[-1]
    expected, found = facts_of_span(span), facts_of_record(recorded)
    assert found == expected
    assert types_of(found["attributes"]) == types_of(expected["attributes"])
    assert rig.guard.errors() == ()
    assert rig.session.open_spans.spans == rig.session.open_spans.roots == {}


@settings(same_rig, max_examples=30)
@given(plan=span_plans)
def test_a_local_root_is_recorded_when_it_starts(rig: RecordingRig, plan: SpanPlan) -> None:
    """A span without a parent here leaves a record at its start, others none."""
    before = rig.session.lanes[LANE_SPANS].counts().written_records
    span = plan.perform(rig.processor)
    written = rig.session.lanes[LANE_SPANS].counts().written_records - before

    is_root = span.parent is None or span.parent.is_remote
    assert written == (2 if is_root else 1)
    if is_root:
        start = rig.recorded()[-2].record
        assert isinstance(start, SpanStart)
        assert start.start_ns == time_as_recorded(span.start_time)
        assert start.is_local_root


@same_rig
@given(plan=span_plans)
def test_every_encoder_says_the_same(rig: RecordingRig, plan: SpanPlan) -> None:
    """The fast encoder, and the one for SDKs we do not know, make the same record."""
    encoder = rig.session.encoder
    span = plan.perform()

    fast, scope = encoder.encode_end(span)
    careful, other_scope = encoder.encode_carefully(span, records.Span, span.end_time)
    opened, _ = encoder.encode_open(span, 77)

    assert scope == other_scope
    assert comparable(fast) == comparable(careful)
    (record,) = decode_records(opened, 1).records
    assert isinstance(record, records.OpenSpan)
    assert record.end_ns == 77


def comparable(data: bytes) -> Any:
    """Return a record, in a form in which a NaN equals a NaN."""
    decoded = decode_records(data, 1)
    assert decoded.undecoded == 0
    return repr(decoded.records)


def test_the_fast_encoder_is_in_use() -> None:
    """Every supported SDK has the fields that it reads, and it writes them in the right order."""
    assert sdk_internals.HAS_KNOWN_FIELDS
    assert IS_FAST


odd_times = st.one_of(
    st.floats(),
    st.integers(),
    st.none(),
    st.text(max_size=5),
    st.dates(),
    st.lists(st.integers(), max_size=2),
)
odd_names = st.none() | st.integers() | st.binary(max_size=5) | st.dates() | st.lists(st.none())


@same_rig
@given(name=odd_names, kind=st.none() | st.integers(), start=odd_times, end=odd_times, at=odd_times)
def test_spans_of_wrong_types_are_recorded(  # noqa: PLR0917
    rig: RecordingRig, name: Any, kind: Any, start: Any, end: Any, at: Any
) -> None:
    """Names, kinds and times of wrong types cost neither the span nor the host."""
    span = rig.tracer.start_span(name, kind=kind, start_time=start)
    span.add_event(name, {"a": 1}, at)
    span.end(end)

    ended = rig.newest()[-1].record
    assert ended.span_id == span.get_span_context().span_id
    assert isinstance(ended, records.Span)
    assert len(ended.events) == 1
    assert isinstance(ended.name, str)
    assert all_times_are_numbers(ended)
    assert rig.guard.errors() == ()


def all_times_are_numbers(record: Record) -> bool:
    """Tell whether every time of a span is a whole number."""
    assert isinstance(record, records.Span)
    found = (record.start_ns, record.end_ns, *(event.time_ns for event in record.events))
    return all(type(time_ns) is int for time_ns in found)
