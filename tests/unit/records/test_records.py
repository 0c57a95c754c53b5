"""Records, and their decoder: what a reader gets back from bytes, also from odd and torn ones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_flight.records import records
from otel_flight.records.decoder import Decoded, decode_records
from otel_flight.records.layout import position

TRACE_ID = 0x0102030405060708090A0B0C0D0E0F10
HIGH, LOW = TRACE_ID >> 64, TRACE_ID & (1 << 64) - 1
START = [HIGH, LOW, 7, 6, 0x101, 2, "GET /", 1, 100]
SPAN = [records.SPAN, *START, 200, {"a": 1}, [], [], 0, None]


def decode(*fields: Any) -> Decoded:
    """Decode records given as plain lists."""
    return decode_records(b"".join(map(msgspec.msgpack.encode, fields)), len(fields))


def test_a_span_comes_back_with_all_its_fields() -> None:
    """Every field of a span record has its place, and ids are put together again."""
    event = ["exception", 150, {"exception.type": "ValueError"}, 3]
    link = [1, 2, 3, 1, {"why": "batch"}, 4, "a=b"]
    extras = {records.EXTRA_TRACE_STATE: "vendor=1"}
    decoded = decode([*SPAN[:-4], [event], [link], [2, "boom"], extras])

    (span,) = decoded.records
    assert isinstance(span, records.Span)
    assert (span.trace_id, span.span_id, span.parent_span_id) == (TRACE_ID, 7, 6)
    assert (span.name, span.kind, span.start_ns, span.end_ns) == ("GET /", 1, 100, 200)
    assert (span.is_sampled, span.is_local_root) == (True, True)
    assert span.events == (records.Event("exception", 150, {"exception.type": "ValueError"}, 3),)
    assert span.links == (records.Link(1, 2, 3, 1, {"why": "batch"}, 4, "a=b"),)
    assert span.links[0].trace_id == (1 << 64) + 2
    assert (span.status_code, span.status_description) == (2, "boom")
    assert span.extras == extras


def test_a_status_without_description_is_one_number() -> None:
    """A bare status number and a status with a null description both read as no description."""
    bare, described = decode([*SPAN[:-2], 2, None], [*SPAN[:-2], [1, None], None]).records

    assert isinstance(bare, records.Span)
    assert isinstance(described, records.Span)
    assert (bare.status_code, bare.status_description) == (2, None)
    assert (described.status_code, described.status_description) == (1, None)


@pytest.mark.parametrize(
    ("parent", "flags", "expected"),
    [(0, 0, True), (6, 0, False), (6, records.FLAG_PARENT_IS_REMOTE, True)],
)
def test_a_local_root_has_no_parent_here(parent: int, flags: int, expected: bool) -> None:
    """No parent, or a remote one: both make a span the root of this process's part."""
    (span,) = decode([records.SPAN, HIGH, LOW, 7, parent, flags, *SPAN[6:]]).records

    assert isinstance(span, records.Span)
    assert span.is_local_root is expected


def test_each_kind_has_its_class() -> None:
    """The first element of a record alone tells what it is."""
    decoded = decode(
        [records.RESOURCE, 1, {"service.name": "shop"}, ""],
        [records.SCOPE, 2, 1, "lib", "1.0", None, None],
        [records.SPAN_START, *START, 77],
        [records.OPEN_SPAN, *SPAN[1:]],
        SPAN,
    )

    assert [type(record) for record in decoded.records] == [
        records.ResourceDefinition,
        records.ScopeDefinition,
        records.SpanStart,
        records.OpenSpan,
        records.Span,
    ]
    assert decoded.undecoded == 0


def test_fields_added_later_do_not_disturb() -> None:
    """An older reader understands a newer ring: fields after the known ones are ignored."""
    decoded = decode([*SPAN, "new", {"field": 1}])

    assert len(decoded.records) == 1
    assert decoded.undecoded == 0


def test_a_kind_added_later_is_counted_and_the_others_are_read() -> None:
    """Records of an unknown kind cost only themselves."""
    decoded = decode(SPAN, [99, "a newer kind", {}], SPAN)

    assert len(decoded.records) == 2
    assert decoded.undecoded == 1


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param([], id="empty"),
        pytest.param([records.SPAN], id="kind-alone"),
        pytest.param([records.SPAN, 1, 2], id="too-short"),
        pytest.param([[records.SPAN], *SPAN[1:]], id="kind-is-a-list"),
        pytest.param([{}, *SPAN[1:]], id="kind-is-a-map"),
        pytest.param("span", id="text"),
        pytest.param({"kind": 1}, id="map"),
        pytest.param(None, id="null"),
        pytest.param([records.SPAN, "x", *SPAN[2:]], id="id-is-text"),
        pytest.param([*SPAN[:-3], None, 0, None], id="no-links"),
    ],
)
def test_an_odd_record_is_counted_and_the_others_are_read(odd: Any) -> None:
    """A record of a wrong shape costs only itself."""
    decoded = decode(SPAN, odd, SPAN)

    assert len(decoded.records) == 2
    assert decoded.undecoded == 1


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", None, "None"),
        ("name", 5, "5"),
        ("start_ns", 100.0, 100),
        ("start_ns", 100.75, 100),
        ("start_ns", None, 0),
        ("start_ns", "2026-01-01T00:00:00", 0),
        ("end_ns", None, 0),
        ("end_ns", float("nan"), 0),
        ("end_ns", float("inf"), 0),
        ("end_ns", [1], 0),
    ],
)
def test_names_and_times_of_wrong_types_are_put_right(
    field: str, value: Any, expected: Any
) -> None:
    """The SDK takes any name and time its caller passes; the span is kept all the same."""
    index = position(records.Span, field)
    decoded = decode([*SPAN[:index], value, *SPAN[index + 1 :]])

    assert decoded.undecoded == 0
    assert getattr(decoded.records[0], field) == expected
    assert getattr(decoded.records[0], "extras") == {records.EXTRA_CONVERTED: 1}  # noqa: B009


def test_events_of_wrong_types_are_put_right() -> None:
    """An event with a float for a time costs neither its span nor itself."""
    events = [["a", 150.5, {}, 0], [None, None, {}, 0], ["b", 151, {}, 0]]
    (span,) = decode(
        [*SPAN[: position(records.Span, "events")], events, [], 0, {records.EXTRA_CUT_BYTES: 9}]
    ).records

    assert isinstance(span, records.Span)
    assert [(event.name, event.time_ns) for event in span.events] == [
        ("a", 150),
        ("None", 0),
        ("b", 151),
    ]
    assert span.extras == {records.EXTRA_CUT_BYTES: 9, records.EXTRA_CONVERTED: 3}


def test_the_start_of_a_span_is_put_right_too() -> None:
    """A start record has no room for a mark, and is repaired all the same."""
    (start,) = decode([records.SPAN_START, *START[:6], None, 1, 100.5, 77]).records

    assert isinstance(start, records.SpanStart)
    assert (start.name, start.start_ns, start.thread_id) == ("None", 100, 77)


@pytest.mark.parametrize(
    "torn",
    [
        pytest.param(b"\xc1", id="no-such-byte"),
        pytest.param(b"\xa1\xff", id="not-utf-8"),
        pytest.param(b"\xdc\xff\xff\x01", id="truncated"),
        pytest.param(b"\x91" * 5000, id="nested-too-deep"),
        pytest.param(b"\x81\x81\x01\x01\x02", id="map-as-a-key"),
    ],
)
def test_torn_bytes_never_raise(torn: bytes) -> None:
    """Bytes that are no records at all are counted as not understood, whatever stands before."""
    span = msgspec.msgpack.encode(SPAN)
    newer = msgspec.msgpack.encode([99])

    assert decode_records(torn, 1) == Decoded([], 1)
    assert decode_records(span + torn, 2).undecoded >= 1
    assert decode_records(newer + torn, 2).undecoded == 2


@pytest.mark.parametrize("count", [2, 1 << 31, 1 << 33, 1 << 46])
def test_a_count_that_the_bytes_cannot_hold_never_raises(count: int) -> None:
    """A commit word that promises more records than there are bytes is no reason to fail."""
    decoded = decode_records(b"\xc0", count)

    assert decoded == Decoded([], count)


@given(st.binary(max_size=200), st.integers(0, 8))
def test_any_bytes_can_be_read(payload: bytes, count: int) -> None:
    """Whatever stands in a segment, each record is either understood or counted."""
    decoded = decode_records(payload, count)

    assert len(decoded.records) + decoded.undecoded == count
