"""Records in damaged segments: one that is broken hides only itself."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_flight.ground.clock import monotonic_ns
from otel_flight.records import records
from otel_flight.records.boundaries import find_records
from otel_flight.records.decoder import Decoded, decode_record, decode_records

PAYLOAD_BYTES = 65_472


def span(number: int, **attributes: Any) -> bytes:
    """Return the record of a span with a number in its name."""
    ids = (1 << 63, 1 << 62, number + 1000, 0, 0, 0)
    times = (1_700_000_000_000_000_000, 1_700_000_000_000_000_500)
    name = f"span {number}"
    fields: list[Any] = [records.SPAN, *ids, name, 0, *times, attributes, [], [], 0, None]
    return msgspec.msgpack.encode(fields)


def numbers_of(decoded: Decoded) -> list[str]:
    """Return the names of the spans that were read."""
    return [record.name for record in decoded.records if isinstance(record, records.Span)]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        pytest.param(0, 0xC1, id="head"),
        pytest.param(1, 0x00, id="kind"),
        pytest.param(2, 0xC1, id="no-such-byte"),
        pytest.param(2, 0xDB, id="endless-text"),
        pytest.param(2, 0xDD, id="endless-array"),
        pytest.param(1, 0xC6, id="endless-bytes"),
        pytest.param(29, 0xA0, id="shorter-name"),
        pytest.param(29, 0xBF, id="longer-name"),
    ],
)
def test_a_broken_record_costs_only_itself(at: int, value: int) -> None:
    """The records before and behind it are read, with the numbers they were written with."""
    pieces = [span(number, item="x" * 40) for number in range(10)]
    broken = bytearray(pieces[4])
    broken[at] = value
    pieces[4] = bytes(broken)

    decoded = decode_records(b"".join(pieces), 10)

    names = [f"span {number}" for number in range(10)]
    assert [name for name in numbers_of(decoded) if name in names[:4] + names[5:]] == [
        *names[:4],
        *names[5:],
    ]
    read = dict(zip(numbers_of(decoded), decoded.numbers, strict=True))
    assert all(read[name] == int(name.split()[1]) for name in names[:4] + names[5:])
    assert len(decoded.records) + decoded.undecoded == 10


def test_numbers_behind_a_gap_are_counted_from_the_end() -> None:
    """Where several records are gone, those behind them keep their numbers all the same."""
    pieces = [span(number) for number in range(10)]
    pieces[3:6] = [b"\xc1" * 150]

    decoded = decode_records(b"".join(pieces), 10)

    assert list(decoded.numbers) == [0, 1, 2, 6, 7, 8, 9]
    assert decoded.undecoded == 3


def test_a_segment_that_was_cut_off_is_read_up_to_there() -> None:
    """Of a truncated file the whole records are there."""
    payload = b"".join(span(number) for number in range(10))

    decoded = decode_records(payload[:-20], 10)

    assert list(decoded.numbers) == list(range(9))
    assert decoded.undecoded == 1


def test_bytes_made_to_keep_the_search_busy_do_not() -> None:
    """Beginnings of records without an end, one behind the other, are given up."""
    payload = (b"\xdc\xff\xff\x01" * PAYLOAD_BYTES)[:PAYLOAD_BYTES]

    before = monotonic_ns()
    decoded = decode_records(payload, 1000)
    seconds = (monotonic_ns() - before) / 1e9

    assert decoded == Decoded([], 1000)
    assert seconds < 5  # a hundredth of that; but not the hours that trying all of them takes


@pytest.mark.parametrize("fields", [17, 18, 30, 41])
def test_a_record_that_takes_in_others_is_read_with_them(fields: int) -> None:
    """Its number of fields is wrong, so that the records behind it seem to be more fields of it."""
    pieces = [span(number) for number in range(40)]
    assert pieces[4][:3] == b"\xdc\x00\x10"
    pieces[4] = bytes([0xDC, 0, fields]) + pieces[4][3:]

    decoded = decode_records(b"".join(pieces), 40)

    assert numbers_of(decoded) == [f"span {number}" for number in range(40)]
    assert list(decoded.numbers) == list(range(40))


@example(damage=[(80, b"\x12", 1)])  # one that says it has two fields more than it has
@example(damage=[(1743, b"", 2)])  # a time became a list, which takes in what is behind it
@given(
    damage=st.lists(st.tuples(st.integers(0), st.binary(max_size=6), st.integers(0, 6)), max_size=3)
)
def test_damage_costs_no_more_than_what_it_meets(damage: list[tuple[int, bytes, int]]) -> None:
    """Bytes changed, put in, or left out: the records they are not in or next to are read."""
    pieces = [span(number, text="abc" * 9) for number in range(40)]
    met = set()
    for where, put, left_out in damage:
        index = where % 40
        at = where // 40 % len(pieces[index])
        pieces[index] = pieces[index][:at] + put + pieces[index][at + left_out :]
        met.add(index)

    # With room for records that the damage makes: each byte that is put in may begin one.
    decoded = decode_records(b"".join(pieces), 60)

    untouched = {f"span {n}" for n in range(40) if not met & {n, n - 1}}
    assert untouched <= set(numbers_of(decoded))


@given(st.binary(max_size=400), st.integers(0, 50))
def test_places_lie_within_the_bytes(payload: bytes, count: int) -> None:
    """Whatever the bytes are, each place is one of theirs, and numbers go up."""
    places = find_records(payload, count, decode_record)

    assert all(0 <= place.start < place.end <= len(payload) for place in places)
    numbers = [place.number for place in places]
    assert numbers == sorted(set(numbers))
    assert len(places) <= count
