"""The hot path in C records what the Python code would, or leaves it to that untouched."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
)

from otel_flight.recording.encoding import compiled
from otel_flight.recording.encoding.compiled import IS_AVAILABLE, is_available, record_layout
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.records.layout import position
from otel_flight.records.records import Span, SpanStart
from otel_flight.ring import layout
from otel_flight.ring.lane_writer import LaneWriter
from tests.support.rigs.recording_rig import RecordingRig

pytestmark = pytest.mark.skipif(not IS_AVAILABLE, reason="the hot path in C is not built here")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RecordingRig]:
    """A session with a ring; its processor has recorded one span, so that the scope is known."""
    with RecordingRig(tmp_path / "ring", window_bytes="512KiB") as rig:
        rig.collect_ended()
        rig.tracer.start_span("first").end()
        yield rig


def write(rig: RecordingRig, span: Any, **other: Any) -> bool | None:
    """Give a span to the compiled hot path, with some of its fields exchanged."""
    fields = {
        "context": span._context,
        "parent": span._parent,
        "resource": span._resource,
        "scope": span._instrumentation_scope,
        "name": span._name,
        "kind": span._kind,
        "start_time": span._start_time,
        "end_time": span._end_time,
        "attributes": span._attributes._dict,
        **other,
    }
    assert rig.session.writers is not None
    return rig.session.writers.write(*fields.values())


def write_start(rig: RecordingRig, span: Any, **other: Any) -> bool | None:
    """Give a span that starts to the compiled hot path, with some of its fields exchanged."""
    fields = {
        "context": span._context,
        "parent": span._parent,
        "resource": span._resource,
        "scope": span._instrumentation_scope,
        "name": span._name,
        "kind": span._kind,
        "start_time": span._start_time,
        "thread_id": 140_000_000_000_000,
        **other,
    }
    assert rig.session.writers is not None
    return rig.session.writers.write_start(*fields.values())


def written(rig: RecordingRig) -> int:
    """Return how many records the lane has had."""
    return rig.session.lanes[layout.LANE_SPANS].counts().written_records


def ended(rig: RecordingRig, **arguments: Any) -> ReadableSpan:
    """Return a span that ended, as the SDK hands it over."""
    rig.tracer.start_span("work", **arguments).end()
    return rig.ended.spans[-1]


@pytest.mark.parametrize("kind", list(SpanKind))
def test_an_ordinary_span_is_the_same_record(rig: RecordingRig, kind: SpanKind) -> None:
    """Byte for byte what the encoder makes of it, whatever its values."""
    values: dict[str, Any] = {
        "empty": "",
        "short": "größe ✓",
        **{f"text {size}": "x" * size for size in (31, 32, 255, 256, 65535 // 8)},
        **{
            f"int {number}": number
            for power in (0, 5, 7, 8, 15, 16, 31, 32, 62)
            for number in (1 << power, -(1 << power), (1 << power) - 1)
        },
        "largest": (1 << 63) - 1,
        "smallest": -(1 << 63),
        "unsigned": (1 << 64) - 1,
        "floats": (0.1, -1.5, float("inf")),
        "bools": [True, False],
        "texts": [f"{number}" for number in range(20)],
        "none": None,
    }
    span = ended(rig, kind=kind)
    attributes = {**values, **{f"more {number}": number for number in range(20)}}
    span._attributes._dict.update(attributes)  # type: ignore[union-attr]
    before = written(rig)

    assert write(rig, span)

    assert written(rig) == before + 1
    (segment,) = list(rig.ring.image.segments(layout.LANE_SPANS))[-1:]
    expected, _ = rig.session.encoder.encode_end(span)
    assert segment.payload[-len(expected) :] == expected


@pytest.mark.parametrize(
    "other",
    [
        {"attributes": {"a": object()}},
        {"attributes": {"a": "half a character \ud800"}},
        {"attributes": {"a": 1 << 64}},
        {"attributes": {"a": -(1 << 63) - 1}},
        {"attributes": {1: "a"}},
        {"attributes": {"deep": [[[[[[1]]]]]]}},
        {"attributes": {"a": b"bytes"}},
        {"attributes": {"a": "x" * 70_000}},
        {"attributes": None},
        {"name": None},
        {"name": "\ud800"},
        {"kind": None},
        {"kind": 1},
        {"start_time": None},
        {"end_time": 1.5},
        {"end_time": 1 << 70},
        {"context": None},
        {"context": (1, 2)},
        {"parent": 5},
        {"scope": object()},
        {"resource": object()},
    ],
)
def test_anything_else_is_left_alone(rig: RecordingRig, other: dict[str, Any]) -> None:
    """It says no, raises nothing, and the lane is as it was."""
    span = ended(rig)
    before = written(rig)

    assert not write(rig, span, **other)

    assert written(rig) == before
    assert write(rig, span)


@pytest.mark.parametrize("kind", list(SpanKind))
@pytest.mark.parametrize("is_remote", [None, False, True])
def test_the_start_of_an_ordinary_root_is_the_same_record(
    rig: RecordingRig, kind: SpanKind, is_remote: bool | None
) -> None:
    """Byte for byte what the encoder makes of it, with any parent, on any thread."""
    context = None
    if is_remote is not None:
        parent = SpanContext(0xA1 << 64 | 0xB2, 0xC3, is_remote, TraceFlags(1))
        context = trace.set_span_in_context(NonRecordingSpan(parent))
    span = rig.tracer.start_span("größe ✓", context, kind=kind)

    for thread_id in (0, 7, 140_000_000_000_000):
        assert write_start(rig, span, thread_id=thread_id)

        expected, _ = rig.session.encoder.encode_start(span, thread_id)
        (segment,) = list(rig.ring.image.segments(layout.LANE_SPANS))[-1:]
        assert segment.payload.endswith(expected)


@pytest.mark.parametrize("is_remote", [0, 1, None, "yes"])
def test_what_only_counts_as_a_bool_is_left_to_python(rig: RecordingRig, is_remote: Any) -> None:
    """A parent may be remote by `1`: both ways of recording read it alike, and so does a reader."""
    parent = SpanContext(0xA1 << 64 | 0xB2, 0xC3, is_remote, TraceFlags(1))
    context = trace.set_span_in_context(NonRecordingSpan(parent))
    span = rig.tracer.start_span("handler", context)
    span.end()

    ended = rig.newest()[-1].record
    assert not write(rig, span)
    assert not write_start(rig, span)
    assert ended.span_id == span.get_span_context().span_id
    assert ended.is_local_root is bool(is_remote)


@pytest.mark.parametrize(
    "other",
    [
        {"thread_id": object()},
        {"start_time": 1.5},
        {"name": None},
        {"kind": 1},
        {"parent": object()},
        {"scope": object()},
    ],
    ids=lambda other: next(iter(other)),
)
def test_an_odd_start_is_left_alone(rig: RecordingRig, other: dict[str, Any]) -> None:
    """It says no, raises nothing, and the lane is as it was."""
    span = rig.tracer.start_span("root")
    before = written(rig)

    assert not write_start(rig, span, **other)

    assert written(rig) == before
    assert write_start(rig, span)


def test_a_subclass_of_a_plain_type_is_left_alone(rig: RecordingRig) -> None:
    """Its methods could run the host's code in the middle of a record."""

    class Text(str):
        __slots__ = ()

    assert not write(rig, ended(rig), attributes={"a": Text("b")})


def test_a_lane_that_someone_writes_is_left_alone(rig: RecordingRig) -> None:
    """The turn is theirs; the Python code then uses the overflow."""
    span = ended(rig)
    lane = rig.session.lanes[layout.LANE_SPANS]
    turn = dict(lane._turn)
    lane._turn.clear()

    refused = write(rig, span)
    lane.append(b"\x91\x09", 0)
    lane._turn.update(turn)

    assert not refused
    assert not write(rig, span), "what waits goes first"
    lane.drain()
    assert write(rig, span)


def test_a_lane_without_memory_is_left_alone(rig: RecordingRig) -> None:
    """After the ring was closed, and before it was made."""
    span = ended(rig)
    rig.session.lanes[layout.LANE_SPANS].detach()

    assert not write(rig, span)


def test_segments_follow_each_other(rig: RecordingRig) -> None:
    """A record that does not fit is left to the code that opens the next segment."""
    span = ended(rig, attributes={"text": "x" * 1000})
    refused = 0
    for _ in range(2000):
        if not write(rig, span):
            refused += 1
            rig.processor.on_end(span)

    assert refused > 10
    assert rig.guard.errors() == ()
    assert all(item.record for item in rig.recorded())


def test_only_ordinary_spans_go_this_way(rig: RecordingRig) -> None:
    """Events, links, a status or dropped attributes: the record has them all the same."""
    changes: tuple[Callable[[trace.Span], None], ...] = (
        lambda span: span.add_event("e"),
        lambda span: span.set_status(StatusCode.ERROR, "no"),
        lambda span: span.record_exception(ValueError("x")),
    )
    for change in changes:
        span = rig.tracer.start_span("odd")
        change(span)
        span.end()

        expected, _ = rig.session.encoder.encode_end(rig.ended.spans[-1])
        (segment,) = list(rig.ring.image.segments(layout.LANE_SPANS))[-1:]
        assert segment.payload.endswith(expected)


@pytest.mark.parametrize(
    "value", ["x" * 10_000_000, "é" * 5_000_000, b"x" * 10_000_000, ("x" * 1000,) * 10_000]
)
def test_megabytes_are_not_copied(rig: RecordingRig, value: Any) -> None:
    """Ten megabytes are cut without having been encoded, wherever in a segment they come."""
    span = ended(rig)
    for number in range(20):
        span._attributes._dict.update(huge=value, number=number)  # type: ignore[union-attr]
        tracemalloc.start()
        try:
            rig.processor.on_end(span)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak_bytes < 1_500_000
        found = rig.newest()[-1].record
        assert found.attributes is not None
        assert found.attributes["number"] == number
    assert rig.guard.errors() == ()


def test_nothing_is_kept(rig: RecordingRig) -> None:
    """After thousands of spans every object has as many references as before."""
    span = ended(rig, attributes={"a": "größe", "b": [1, 2.5, "x"]})
    objects = [span, span._attributes, span._context, span._resource, span._instrumentation_scope]
    before = [sys.getrefcount(each) for each in objects]

    for _ in range(5000):
        write(rig, span)
        write(rig, span, attributes={"a": object()})
        write_start(rig, span)
        write_start(rig, span, thread_id=object())

    assert [sys.getrefcount(each) for each in objects] == before


def test_a_wrong_call_is_an_error(rig: RecordingRig) -> None:
    """Too few fields, or a writer that was never made."""
    writers = rig.session.writers
    assert writers is not None
    with pytest.raises(TypeError, match="9 fields"):
        writers.write(1, 2)
    with pytest.raises(TypeError, match="8 fields"):
        writers.write_start(1, 2)
    unmade: Any = type(writers.write.__self__)  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        unmade.__new__(unmade).write(*range(9))
    with pytest.raises(TypeError):
        unmade.__new__(unmade).write_start(*range(8))


def test_the_setting_turns_it_off(tmp_path: Path) -> None:
    """compiled=false records by the Python code alone."""
    with RecordingRig(tmp_path / "ring", compiled=False) as rig:
        assert rig.session.writers is None
        rig.tracer.start_span("pure").end()
        assert [span.name for span in rig.spans()] == ["pure"]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("span_fields", lambda known: (*known[:9], known[10], known[9], *known[11:])),
        ("span_fields", lambda known: known[:-1]),
        ("span_fields", lambda known: (*known, "added")),
        ("start_fields", lambda known: known[::-1]),
        ("start_fields", lambda known: known[:-1]),
        ("start_fields", lambda known: (*known[:-1], 5)),
        ("entry_fields", lambda known: known[::-1]),
        ("span_number", str),
    ],
)
def test_another_layout_turns_it_off(
    monkeypatch: pytest.MonkeyPatch, name: str, other: Callable[[Any], Any]
) -> None:
    """When a field was moved, added or removed, C that does not know it writes no wrong bytes."""
    known = record_layout()
    monkeypatch.setattr(compiled, "record_layout", lambda: {**known, name: other(known[name])})
    scopes = ScopeTable()

    assert not is_available()
    with pytest.raises(TypeError):
        compiled.span_writers(LaneWriter(layout.LANE_SPANS, scopes), scopes, 1024)


def test_numbers_and_flags_are_those_it_is_given(
    rig: RecordingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows neither the kinds of record nor the flag of a remote parent by itself."""
    parent = SpanContext(5, 6, True, TraceFlags(1))
    span = ended(rig, context=trace.set_span_in_context(NonRecordingSpan(parent)))
    others = {**record_layout(), "span_number": 101, "start_number": 202, "remote_parent": 0x2000}
    monkeypatch.setattr(compiled, "record_layout", lambda: others)
    lane = rig.session.lanes[layout.LANE_SPANS]
    rig.session.writers = compiled.span_writers(lane, rig.session.scopes, 4096)

    assert write(rig, span)
    assert write_start(rig, span)

    (segment,) = list(rig.ring.image.segments(layout.LANE_SPANS))[-1:]
    header = b"\xdd" + segment.records.to_bytes(4, "big")
    end, start = msgspec.msgpack.decode(header + segment.payload)[-2:]
    assert (end[0], end[position(Span, "flags")]) == (101, 0x2001)
    assert (start[0], start[position(SpanStart, "flags")]) == (202, 0x2001)
