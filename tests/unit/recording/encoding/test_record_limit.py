"""The slow path: values msgpack refuses, and records over their limit."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_flight.recording.encoding.record_limit import encode_cut, encode_within
from otel_flight.records import records
from otel_flight.records.decoder import decode_records
from otel_flight.records.records import Event, Link, Span, SpanStart

LIMIT = 4096
_VALUES = (
    st.integers()
    | st.text(st.characters(), max_size=3000)
    | st.binary(max_size=3000)
    | st.lists(st.floats() | st.none(), max_size=900)
    | st.dictionaries(st.text(max_size=50), st.integers(), max_size=300)
)
_ATTRIBUTES = st.dictionaries(st.text(st.characters(), min_size=1, max_size=300), _VALUES)
_EVENTS = st.lists(st.tuples(st.text(), st.integers(0, 9), _ATTRIBUTES, st.just(0)), max_size=60)


def span_of(
    attributes: dict[str, Any],
    *,
    events: Any = (),
    links: Any = (),
    status: Any = 0,
    name: str = "name",
    extras: dict[str, Any] | None = None,
) -> Span:
    """Return a span's record."""
    start = (0, 1, 2, 0, 1, 0, name, 0, 10, 20)
    return Span(*start, attributes, events, links, status, extras)


def decode(data: bytes) -> Span:
    """Return the one span in some bytes."""
    decoded = decode_records(data, 1)
    assert decoded.undecoded == 0
    (span,) = decoded.records
    assert type(span) is Span
    return span


def test_a_record_that_fits_is_not_touched() -> None:
    """What needs nothing gets nothing: no mark, no count."""
    data, converted, was_cut = encode_within(span_of({"a": [1, None, {"b": b"c"}]}), LIMIT)

    assert (converted, was_cut) == (0, False)
    assert decode(data).attributes == {"a": [1, None, {"b": b"c"}]}
    assert decode(data).extras is None


def test_conversions_are_marked_on_the_record() -> None:
    """The record itself says how many of its values are not what they were."""
    data, converted, was_cut = encode_within(span_of({"big": 1 << 64, "bad": "\ud800"}), LIMIT)

    assert (converted, was_cut) == (2, False)
    assert decode(data).attributes == {"big": "0x10000000000000000", "bad": "\\ud800"}
    assert decode(data).extras == {records.EXTRA_CONVERTED: 2}


def test_strings_are_cut_no_more_than_needed() -> None:
    """The longest strings lose, short ones stay whole, and the lost bytes are marked."""
    attributes = {"sql": "x" * 10_000, "route": "/items/{id}", "body": "y" * 700}
    data, converted, was_cut = encode_within(span_of(attributes), LIMIT)

    span = decode(data)
    assert (converted, was_cut) == (0, True)
    assert len(data) <= LIMIT
    assert span.attributes["route"] == "/items/{id}"
    assert span.attributes["body"] == "y" * 700
    assert span.attributes["sql"] == "x" * 2048 + "…[+7952 bytes]"
    assert span.extras == {records.EXTRA_CUT_BYTES: 7952}


def test_every_string_of_a_record_may_be_cut() -> None:
    """Name, status, events and keys are no exception; the trace state neither."""
    long = "x" * 5000
    event = (long, 1, {long: long}, 0)
    extras = {records.EXTRA_TRACE_STATE: long}
    data, _, was_cut = encode_within(
        span_of({long: long}, events=[event], status=(2, long), name=long, extras=extras), 1024
    )

    assert was_cut
    assert len(data) <= 1024
    assert decode(data).name.startswith("xxx")


def test_very_many_attributes_are_left_out_and_counted() -> None:
    """When cutting does not help, the later attributes go, and how many is said."""
    attributes = {f"key {number}": number for number in range(10_000)}
    data, _, was_cut = encode_within(
        span_of(attributes, extras={records.EXTRA_DROPPED_ATTRIBUTES: 5}), LIMIT
    )

    span = decode(data)
    assert was_cut
    assert len(data) <= LIMIT
    assert span.extras is not None
    kept = len(span.attributes)
    assert kept > 50
    assert span.attributes == dict(list(attributes.items())[:kept])
    assert span.extras[records.EXTRA_DROPPED_ATTRIBUTES] == 10_000 - kept + 5


def test_of_very_many_events_and_links_the_newest_stay() -> None:
    """The last event is often the exception, which explains the span."""
    events: list[Any] = [(f"event {number}", number, {}, 0) for number in range(3000)]
    links: list[Any] = [(0, number, 1, 0, {}, 0, "") for number in range(3000)]
    data, _, _ = encode_within(span_of({"route": "/"}, events=events, links=links), LIMIT)

    span = decode(data)
    assert span.attributes == {"route": "/"}
    assert span.extras is not None
    assert span.events[-1] == Event("event 2999", 2999, {})
    assert span.links[-1] == Link(0, 2999, 1, 0, {})
    assert len(span.events) + span.extras[records.EXTRA_DROPPED_EVENTS] == 3000
    assert len(span.links) + span.extras[records.EXTRA_DROPPED_LINKS] == 3000


def test_what_takes_most_is_left_out_first() -> None:
    """Very many attributes cost no event, and the other way round."""
    attributes = {f"key {number}": number for number in range(5000)}
    data, _, _ = encode_within(span_of(attributes, events=[("exception", 1, {"a": "b"}, 0)]), LIMIT)

    assert decode(data).events == (Event("exception", 1, {"a": "b"}),)


def test_one_long_list_costs_only_itself() -> None:
    """A vector of 100000 numbers is cut; the attributes beside it stay."""
    attributes = {"embedding": [0.5] * 100_000, "route": "/", "user": "u"}
    data, _, was_cut = encode_within(span_of(attributes), LIMIT)

    span = decode(data)
    assert was_cut
    assert len(data) <= LIMIT
    assert (span.attributes["route"], span.attributes["user"]) == ("/", "u")
    assert span.attributes["embedding"][-1].startswith("…[+")


def test_deep_nesting_that_is_also_too_long_is_cut() -> None:
    """What msgpack would take, but nobody can walk through, neither raises nor stays too long."""
    value: Any = "x" * 10_000
    for _ in range(900):
        value = [value]
    data, _, was_cut = encode_within(span_of({"deep": value, "long": "y" * 10_000}), LIMIT)

    assert was_cut
    assert len(data) <= LIMIT
    assert decode(data).attributes["long"].startswith("yyy")


def test_the_attributes_of_a_start_are_bounded_too() -> None:
    """A start record has no room for marks, and keeps its limit all the same."""
    many = {f"key {number}": "\ud800" for number in range(10_000)}
    start = SpanStart(0, 1, 2, 0, 1, 0, "n" * 9000, 0, 10, 77, many)
    data, converted, was_cut = encode_within(start, LIMIT)

    assert was_cut
    assert converted > 0
    assert len(data) <= LIMIT
    assert decode_records(data, 1).undecoded == 0


@given(_ATTRIBUTES, _EVENTS, st.integers(1024, 8192))
def test_any_record_fits_and_is_marked_when_it_lost_something(
    attributes: dict[str, Any], events: list[Any], limit: int
) -> None:
    """Whatever a span holds, its record is within the limit, readable, and honest about losses."""
    data, converted, was_cut = encode_within(span_of(attributes, events=events), limit)

    span = decode(data)
    assert len(data) <= limit
    extras = span.extras or {}
    assert extras.get(records.EXTRA_CONVERTED, 0) == converted
    assert was_cut == bool(extras.keys() - {records.EXTRA_CONVERTED})
    dropped = extras.get(records.EXTRA_DROPPED_ATTRIBUTES, 0)
    assert len(span.attributes) + dropped == len(attributes)
    dropped = extras.get(records.EXTRA_DROPPED_EVENTS, 0)
    assert len(span.events) + dropped == len(events)


@pytest.mark.parametrize("size", [10_000_000, 1_000_000])
def test_a_huge_string_is_cut(size: int) -> None:
    """Ten megabytes become a few kilobytes, surrogates included."""
    data, _, was_cut = encode_within(span_of({"a": "x" * size + "\ud800", "b": 1}), LIMIT)

    span = decode(data)
    assert was_cut
    assert span.attributes["b"] == 1
    assert span.attributes["a"].startswith("xxx")
    assert span.extras is not None
    assert span.extras[records.EXTRA_CUT_BYTES] > size - LIMIT


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * 10_000_000, id="string"),
        pytest.param("é" * 5_000_000, id="no ASCII"),
        pytest.param("x" * 10_000_000 + "\ud800", id="half a character"),
        pytest.param(b"x" * 10_000_000, id="bytes"),
        pytest.param(("x" * 5_000_000, "y" * 5_000_000), id="two strings"),
        pytest.param(("x" * 100,) * 100_000, id="strings"),
        pytest.param(("x" * 4000,) * 2500, id="long strings"),
        pytest.param(tuple(range(1_000_000)), id="numbers"),
        pytest.param({"a": {"b": ["x" * 10_000_000]}}, id="nested"),
        pytest.param({f"{key}": "x" * 100 for key in range(100_000)}, id="map"),
        pytest.param(["x" * 10_000_000, object()], id="beside an object"),
    ],
)
def test_megabytes_are_cut_before_they_are_encoded(value: Any) -> None:
    """What is too long by far is neither copied nor cleaned: it would keep the application."""
    record = span_of({"huge": value, "route": "/items/{id}"})
    tracemalloc.start()
    try:
        data, _, was_cut = encode_cut(record, LIMIT)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    span = decode(data)
    assert was_cut
    assert len(data) <= LIMIT
    assert span.attributes["route"] == "/items/{id}"
    assert span.extras is not None
    assert span.extras[records.EXTRA_CUT_BYTES] > 50_000
    assert peak_bytes < 1_500_000
