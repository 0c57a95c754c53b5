"""Make a record fit: what msgpack cannot hold becomes text, and what is too long is cut."""

from __future__ import annotations

import itertools
from typing import Any, Final, TypeVar

import msgspec

from otel_flight.ground.signal_errors import pass_on
from otel_flight.records import records
from otel_flight.records.records import Span, SpanStart
from otel_flight.records.sanitize import Sanitizer
from otel_flight.records.shorten import LENGTHS, RoughShortener, Shortener, is_longer
from otel_flight.redaction.redactor import Redactor

_DROPPABLE: Final = {
    "attributes": (records.EXTRA_DROPPED_ATTRIBUTES, 2),
    "events": (records.EXTRA_DROPPED_EVENTS, 5),
    "links": (records.EXTRA_DROPPED_LINKS, 7),
}
"""The fields of a span whose items may be left out, each with the extra that counts that, and the
bytes that an item takes at least."""
_Record = TypeVar("_Record", bound=msgspec.Struct)
_encode = msgspec.msgpack.Encoder().encode

REFUSED: Final = (
    AttributeError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
    msgspec.MsgspecError,
)
"""Encoding raises one of these for a value or a span that it cannot take. A signal handler of the
host may raise one as well, which is not to be caught (`signal_errors.pass_on`)."""


def encode_within(
    record: msgspec.Struct, limit_bytes: int, redactor: Redactor | None = None
) -> tuple[bytes, int, bool]:
    """Encode a record, converting what msgpack cannot hold and cutting it to `limit_bytes`.

    Args:
        record: what is encoded.
        limit_bytes: how long it may be.
        redactor: takes the secrets out of it; None: they stay.

    Returns:
        The bytes, how many values were converted, and whether anything was cut.
    """
    data = _encoded(record, limit_bytes)
    if data is not None and redactor is not None:
        data = redactor.record(data)
    if data is None or len(data) > limit_bytes:
        return encode_cut(record, limit_bytes, redactor)
    return data, 0, False


def encode_cut(
    record: msgspec.Struct, limit_bytes: int, redactor: Redactor | None = None
) -> tuple[bytes, int, bool]:
    """Do the same with a record that most likely is too long, or has what msgpack cannot hold.

    What is too long by far is cut before it is encoded or cleaned: that would take milliseconds for
    each megabyte, on a thread of the application.
    """
    trimmed = _without_megabytes(_without_hopeless(record, limit_bytes), limit_bytes)
    was_cut = trimmed is not record
    data = _encoded(trimmed, limit_bytes) if was_cut else None
    if data is not None and (redactor is None or not redactor.suspects(data)):
        return data, 0, was_cut
    sanitizer = Sanitizer()
    fields = list(map(sanitizer.clean, msgspec.structs.astuple(trimmed)))
    cleaned = type(trimmed)(*(fields if redactor is None else redactor.fields(fields)))
    if sanitizer.converted:
        cleaned = _with_extra(cleaned, records.EXTRA_CONVERTED, sanitizer.converted)
    data = _encoded(cleaned, limit_bytes)
    if data is None:
        data, was_cut = _shrink(cleaned, limit_bytes), True
    return data, sanitizer.converted, was_cut


def _without_megabytes(record: _Record, limit_bytes: int) -> _Record:
    """Cut strings, lists and maps so far that the rest has to do with little more than fits."""
    trimmed, most_bytes = record, limit_bytes
    try:
        for length in _lengths(limit_bytes):
            if not is_longer(msgspec.structs.astuple(trimmed), most_bytes):
                break
            trimmed, most_bytes = _shortened(RoughShortener(), record, length), 4 * limit_bytes
    except REFUSED as error:
        pass_on(error)
    return trimmed


def _encoded(record: msgspec.Struct, limit_bytes: int) -> bytes | None:
    """Return a record's bytes; None: it is too long, or has what msgpack cannot hold."""
    try:
        data: bytes = _encode(record)
    except REFUSED as error:
        pass_on(error)
        return None
    return data if len(data) <= limit_bytes else None


def _lengths(limit_bytes: int) -> list[int]:
    return [length for length in LENGTHS if length < limit_bytes]


def _shrink(record: msgspec.Struct, limit_bytes: int) -> bytes:
    """Cut strings to the greatest length at which the record fits, else leave out items too."""
    lengths = _lengths(limit_bytes)
    shortener = Shortener()
    best = _shortened(shortener, record, lengths[-1])
    data: bytes = _encode(best)
    if len(data) > limit_bytes:
        return _drop_items(best, limit_bytes)
    too_long, fitting = -1, len(lengths) - 1
    while fitting - too_long > 1:
        middle = (too_long + fitting) // 2
        candidate: bytes = _encode(_shortened(shortener, record, lengths[middle]))
        if len(candidate) <= limit_bytes:
            fitting, data = middle, candidate
        else:
            too_long = middle
    return data


def _shortened(shortener: Shortener, record: _Record, length: int) -> _Record:
    fields = list(msgspec.structs.astuple(record))
    shortened = type(record)(*shortener.shorten(fields, length))
    if not shortener.cut_bytes:
        return shortened
    return _with_extra(shortened, records.EXTRA_CUT_BYTES, shortener.cut_bytes)


def _drop_items(record: msgspec.Struct, limit_bytes: int) -> bytes:
    """Halve whatever takes most, attributes, events or links, until the record fits."""
    while True:
        sizes = {name: len(_encode(items)) for name, items in _droppable(record).items()}
        if sizes:
            largest = max(sizes, key=sizes.__getitem__)
            record = _with_fewer(record, largest, len(getattr(record, largest)) // 2)
        data: bytes = _encode(record)
        if len(data) <= limit_bytes or not sizes:
            return data


def _without_hopeless(record: _Record, limit_bytes: int) -> _Record:
    """Leave out attributes, events and links that cannot have room, however short they are."""
    for name, items in _droppable(record).items():
        most = limit_bytes // _DROPPABLE[name][1]
        if len(items) > most:
            record = _with_fewer(record, name, most)
    return record


def _droppable(record: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of a span of which items may be left out; none of any other record."""
    if not isinstance(record, Span | SpanStart):
        return {}
    fields = {name: getattr(record, name, None) for name in _DROPPABLE}
    return {name: items for name, items in fields.items() if items}


def _with_fewer(record: _Record, name: str, kept: int) -> _Record:
    """Keep the first attributes, but the newest events and links, as the SDK's own limits do."""
    items = getattr(record, name)
    fewer = (
        dict(itertools.islice(items.items(), kept))
        if isinstance(items, dict)
        else items[len(items) - kept :]
    )
    record = _with_extra(record, _DROPPABLE[name][0], len(items) - kept)
    return msgspec.structs.replace(record, **{name: fewer})


def _with_extra(record: _Record, key: str, count: int) -> _Record:
    if not isinstance(record, Span):  # it has no extras
        return record
    extras = dict(record.extras or {})
    extras[key] = extras.get(key, 0) + count
    return msgspec.structs.replace(record, extras=extras)
