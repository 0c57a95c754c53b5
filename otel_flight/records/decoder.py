"""Decode the records of a segment, tolerating newer kinds and odd values."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from otel_flight.records import records
from otel_flight.records.records import Record

_ARRAY32: Final = b"\xdd"
_decoder: msgspec.msgpack.Decoder[list[Record]] = msgspec.msgpack.Decoder(list[Record])
_NAME, _START, _END, _EVENTS, _EXTRAS = 7, 9, 10, 12, 15
_UNREADABLE: Final = (
    msgspec.MsgspecError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    RecursionError,
)
_CLASSES: Final[dict[int, Any]] = {
    records.SPAN: records.Span,
    records.SPAN_START: records.SpanStart,
    records.OPEN_SPAN: records.OpenSpan,
    records.RESOURCE: records.ResourceDefinition,
    records.SCOPE: records.ScopeDefinition,
    records.RUNTIME: records.RuntimeEvent,
    records.STACK: records.StackDefinition,
}


class Decoded(NamedTuple):
    """The records of one segment, oldest first, and how many could not be understood."""

    records: list[Record]
    undecoded: int


def decode_records(payload: bytes | memoryview, count: int) -> Decoded:
    """Decode `count` records that stand one after another in `payload`.

    Records delimit themselves, and msgspec decodes no stream: an array header put in front makes
    one value of them. Never raises: what cannot be understood is counted.
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
        kind = _CLASSES[raw[0]]
        if issubclass(kind, records.SpanStart | records.Span):
            _repair_span(raw)
        return msgspec.convert(raw, kind)  # type: ignore[no-any-return]
    except _UNREADABLE:
        return None


def _repair_span(raw: list[Any]) -> None:
    """Make names strings and times integers: the SDK takes whatever its caller passes."""
    repairs = _repair(raw, _NAME, str) + _repair(raw, _START, int)
    if raw[0] == records.SPAN_START:
        return
    repairs += _repair(raw, _END, int)
    for event in raw[_EVENTS]:
        repairs += _repair(event, 0, str) + _repair(event, 1, int)
    if repairs:
        extras = dict(raw[_EXTRAS] or {})
        extras[records.EXTRA_CONVERTED] = extras.get(records.EXTRA_CONVERTED, 0) + repairs
        raw[_EXTRAS] = extras


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
