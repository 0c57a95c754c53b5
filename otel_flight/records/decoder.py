"""Decode the records of a segment, tolerating newer kinds and odd values."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, get_args

import msgspec

from otel_flight.records import records
from otel_flight.records.layout import kind_of, position
from otel_flight.records.records import Event, Record, Span, SpanStart

_ARRAY32: Final = b"\xdd"
_decoder: msgspec.msgpack.Decoder[list[Record]] = msgspec.msgpack.Decoder(list[Record])
_UNREADABLE: Final = (
    msgspec.MsgspecError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    RecursionError,
)
_TYPES: Final[dict[int, Any]] = {kind_of(each): each for each in get_args(Record)}


class Decoded(NamedTuple):
    """The records of one segment, oldest first, and how many could not be understood."""

    records: list[Record]
    undecoded: int


def decode_records(payload: bytes | memoryview, count: int) -> Decoded:
    """Decode `count` records that stand one after another in `payload`.

    Records delimit themselves, but msgspec decodes only one value: with an array header in front
    they are one. Never raises: what cannot be understood is counted.
    """
    if count > len(payload):  # every record takes a byte at least: a torn commit word
        return Decoded([], count)
    message = b"".join((_ARRAY32, count.to_bytes(4, "big"), payload))
    try:
        return Decoded(_decoder.decode(message), 0)
    except _UNREADABLE:
        return _decode_one_by_one(message, count)


def _decode_one_by_one(message: bytes, count: int) -> Decoded:
    try:
        raw_records: list[Any] = msgspec.msgpack.decode(message)
    except _UNREADABLE:  # torn or overwritten bytes
        return Decoded([], count)
    decoded = [record for record in map(_convert, raw_records) if record is not None]
    return Decoded(decoded, count - len(decoded))


def _convert(raw: Any) -> Record | None:
    try:
        record_type = _TYPES[raw[0]]
        if issubclass(record_type, Span | SpanStart):
            _repair_span(raw, record_type)
        return msgspec.convert(raw, record_type)  # type: ignore[no-any-return]
    except _UNREADABLE:
        return None


def _repair_span(raw: list[Any], record_type: type[Span | SpanStart]) -> None:
    """Make names strings and times integers: the SDK takes whatever its caller passes."""
    repairs = _repair(raw, position(record_type, "name"), str)
    repairs += _repair(raw, position(record_type, "start_ns"), int)
    if not issubclass(record_type, Span):
        return
    repairs += _repair(raw, position(Span, "end_ns"), int)
    for event in raw[position(Span, "events")]:
        repairs += _repair(event, position(Event, "name"), str)
        repairs += _repair(event, position(Event, "time_ns"), int)
    if repairs:
        at = position(Span, "extras")
        extras = dict(raw[at] or {})
        extras[records.EXTRA_CONVERTED] = extras.get(records.EXTRA_CONVERTED, 0) + repairs
        raw[at] = extras


def _repair(fields: list[Any], index: int, wanted: type[str | int]) -> int:
    """Return how many fields had to be repaired: one or none."""
    value = fields[index]
    if type(value) is wanted:
        return 0
    try:
        fields[index] = wanted(value)
    except (ValueError, TypeError, OverflowError):  # not a number, nor a finite one
        fields[index] = 0
    return 1
