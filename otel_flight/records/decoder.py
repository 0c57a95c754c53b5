"""Decode the records of a segment, tolerating newer kinds, odd values and damage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, get_args

import msgspec

from otel_flight.records import records
from otel_flight.records.boundaries import find_records
from otel_flight.records.layout import kind_of, position
from otel_flight.records.records import Event, Record, Span, SpanStart

_ARRAY32: Final = b"\xdd"
_LATEST_NS: Final = (1 << 63) - 1
_LOW_64: Final = (1 << 64) - 1
_decoder: msgspec.msgpack.Decoder[list[Record]] = msgspec.msgpack.Decoder(list[Record])
UNREADABLE: Final = (
    msgspec.MsgspecError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    RecursionError,
)
"""Decoding bytes that are no records, or were changed, raises these."""
_TYPES: Final[dict[int, Any]] = {kind_of(each): each for each in get_args(Record)}
_IDS: Final = ("trace_id_high", "trace_id_low", "span_id", "parent_span_id")


class Decoded(NamedTuple):
    """The records of one segment, oldest first, and how many could not be understood."""

    records: list[Record]
    undecoded: int
    numbers: Sequence[int] = ()
    """The position of each among those that were written into the segment, from 0."""


def decode_records(payload: bytes | memoryview, count: int) -> Decoded:
    """Decode `count` records that stand one after another in `payload`.

    Records delimit themselves, but msgspec decodes only one value: with an array header in front
    they are one. Never raises: what cannot be understood is counted.
    """
    if count > len(payload):  # every record takes a byte at least: a torn commit word
        return Decoded([], count)
    message = b"".join((_ARRAY32, count.to_bytes(4, "big"), payload))
    try:
        return Decoded(_decoder.decode(message), 0, range(count))
    except UNREADABLE:
        return _decode_one_by_one(message, count) or _decode_damaged(bytes(payload), count)


def whole_ns(value: Any) -> int:
    """Return a time as a record should have it, whatever it is; 0 where it is no number."""
    try:
        return min(max(int(value or 0), 0), _LATEST_NS)
    except (ValueError, TypeError, OverflowError):  # not a number, nor a finite one
        return 0


def decode_record(data: bytes) -> Record | None:
    """Decode one record; None: it is none, or broken, or of a newer kind. Never raises."""
    try:
        return _convert(msgspec.msgpack.decode(data))
    except UNREADABLE:
        return None


def _decode_one_by_one(message: bytes, count: int) -> Decoded | None:
    """Decode records some of which are odd, or newer; None: some are broken."""
    try:
        raw_records: list[Any] = msgspec.msgpack.decode(message)
    except UNREADABLE:
        return None
    decoded: list[Record] = []
    numbers: list[int] = []
    for number, raw in enumerate(raw_records):
        record = _convert(raw)
        if record is not None:
            decoded.append(record)
            numbers.append(number)
        elif not _is_newer(raw):
            return None
    return Decoded(decoded, count - len(decoded), tuple(numbers))


def _decode_damaged(payload: bytes, count: int) -> Decoded:
    found = find_records(payload, count, decode_record)
    numbers = tuple(each.number for each in found)
    return Decoded([each.record for each in found], count - len(found), numbers)


def _is_newer(raw: Any) -> bool:
    """Tell whether a record is of a kind that this version does not know."""
    return type(raw) is list and raw != [] and type(raw[0]) is int and raw[0] not in _TYPES


def _convert(raw: Any) -> Record | None:
    try:
        record_type = _TYPES[raw[0]]
        if issubclass(record_type, Span | SpanStart):
            _repair_span(raw, record_type)
        return msgspec.convert(raw, record_type)  # type: ignore[no-any-return]
    except UNREADABLE:
        return None


def _repair_span(raw: list[Any], record_type: type[Span | SpanStart]) -> None:
    """Make names strings, and times and ids what they should be: the SDK takes whatever it gets."""
    repairs = _repair_name(raw, position(record_type, "name"))
    repairs += _repair_time(raw, position(record_type, "start_ns"))
    for field in _IDS:
        repairs += _repair_id(raw, position(record_type, field))
    if not issubclass(record_type, Span):
        return
    repairs += _repair_time(raw, position(Span, "end_ns"))
    for event in raw[position(Span, "events")]:
        repairs += _repair_name(event, position(Event, "name"))
        repairs += _repair_time(event, position(Event, "time_ns"))
    if repairs:
        at = position(Span, "extras")
        extras = dict(raw[at] or {})
        extras[records.EXTRA_CONVERTED] = extras.get(records.EXTRA_CONVERTED, 0) + repairs
        raw[at] = extras


def _repair_name(fields: list[Any], index: int) -> int:
    """Return how many fields had to be repaired: one or none."""
    if type(fields[index]) is str:
        return 0
    fields[index] = str(fields[index])
    return 1


def _repair_time(fields: list[Any], index: int) -> int:
    value = fields[index]
    if type(value) is int and 0 <= value <= _LATEST_NS:
        return 0
    fields[index] = whole_ns(value)
    return 1


def _repair_id(fields: list[Any], index: int) -> int:
    value = fields[index]
    if type(value) is not int or value >= 0:
        return 0
    fields[index] = value & _LOW_64
    return 1
