"""The encoder's slow path: unknown span shapes, values msgpack refuses, records over the limit."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from opentelemetry.trace.span import DEFAULT_TRACE_STATE

from otel_flight.records import records
from otel_flight.records.sanitize import Sanitizer
from otel_flight.records.shorten import LENGTHS, Shortener

_LOW_64: Final = (1 << 64) - 1
_EXTRAS: Final = 15
_DROPPABLE: Final = {
    11: (records.EXTRA_DROPPED_ATTRIBUTES, 2),
    12: (records.EXTRA_DROPPED_EVENTS, 5),
    13: (records.EXTRA_DROPPED_LINKS, 7),
}
"""Of which field items may be left out, where that is counted, and how short an item can be."""
_encode = msgspec.msgpack.Encoder().encode

REFUSED: Final = (
    AttributeError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
    msgspec.MsgspecError,
)
"""What encoding raises for a value or a span it cannot take. Not Exception: the host's signal
handlers may raise anything while we run, and that is theirs to see."""


def status_fields(status: Any) -> int | tuple[int, str | None]:
    """Return the status code, with its description when there is one."""
    if status is None:
        return 0
    code: int = status.status_code.value
    description = status.description
    return (code, description) if description is not None else code


def event_fields(events: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return span events as record fields, oldest first."""
    return [
        (e.name, e.timestamp, _attributes_of(e), getattr(e, "dropped_attributes", 0))
        for e in events
    ]


def link_fields(links: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return span links as record fields, in their order."""
    return [
        (
            link.context.trace_id >> 64,
            link.context.trace_id & _LOW_64,
            link.context.span_id,
            (link.context.trace_flags & 255)
            | (records.FLAG_PARENT_IS_REMOTE if link.context.is_remote else 0),
            _attributes_of(link),
            getattr(link, "dropped_attributes", 0),
            link.context.trace_state.to_header() if link.context.trace_state else "",
        )
        for link in links
    ]


def rare_fields(span: Any) -> dict[str, Any] | None:
    """Return what only few spans have: trace state and counts of what the SDK's limits dropped."""
    counts = {
        records.EXTRA_DROPPED_ATTRIBUTES: span.dropped_attributes,
        records.EXTRA_DROPPED_EVENTS: span.dropped_events,
        records.EXTRA_DROPPED_LINKS: span.dropped_links,
    }
    extras: dict[str, Any] = {key: count for key, count in counts.items() if count}
    context = span.get_span_context()
    if context is not None and context.trace_state and context.trace_state != DEFAULT_TRACE_STATE:
        extras[records.EXTRA_TRACE_STATE] = context.trace_state.to_header()
    return extras or None


def portable_fields(span: Any, kind: int, scope_number: int, end_ns: Any) -> tuple[Any, ...]:
    """Return a span's record fields in the order of `records.Span`, whatever its SDK is like.

    Names and times are passed on as they are: the decoder puts right what is none.
    """
    context = span.get_span_context()
    parent = span.parent
    flags = context.trace_flags & 255
    if parent is not None and parent.is_remote:
        flags |= records.FLAG_PARENT_IS_REMOTE
    return (
        kind,
        context.trace_id >> 64 & _LOW_64,
        context.trace_id & _LOW_64,
        context.span_id & _LOW_64,
        parent.span_id & _LOW_64 if parent is not None else 0,
        flags,
        scope_number,
        span.name,
        getattr(span.kind, "value", 0),
        span.start_time,
        end_ns,
        _attributes_of(span),
        event_fields(_items_of(span, "events")),
        link_fields(_items_of(span, "links")),
        status_fields(span.status),
        rare_fields(span),
    )


def _attributes_of(owner: Any) -> dict[str, Any]:
    """Return a copy of the attributes of a span, event or link.

    Iterating the SDK's mapping takes a lock that this very thread may hold, when a collection runs
    within `set_attribute`, and meets keys that another thread has just dropped for newer ones. So
    the dict inside it is copied, which is one step, and only an SDK without one is iterated.
    """
    inner = getattr(getattr(owner, "_attributes", None), "_dict", None)
    if type(inner) is dict:
        return inner.copy()
    attributes = owner.attributes or {}
    return {key: attributes.get(key) for key in list(attributes)}


def _items_of(span: Any, name: str) -> list[Any]:
    """Return a copy of a span's events or links; without their lock, for the same reason."""
    inner = getattr(getattr(span, f"_{name}", None), "_dq", None)
    return list(getattr(span, name) if inner is None else inner)


def encode_within(fields: tuple[Any, ...], limit_bytes: int) -> tuple[bytes, int, bool]:
    """Encode a record, converting what msgpack cannot hold and cutting it to `limit_bytes`.

    Returns:
        The bytes, how many values were converted, and whether anything was cut.
    """
    try:
        data: bytes = _encode(fields)
        if len(data) <= limit_bytes:
            return data, 0, False
    except REFUSED:
        pass
    # Cleaning a value takes a hundred times as long as encoding it: not those that have no room.
    trimmed, was_cut = _without_hopeless(list(fields), limit_bytes)
    sanitizer = Sanitizer()
    cleaned = [sanitizer.clean(field) for field in trimmed]
    if sanitizer.converted:
        cleaned = _with_extra(cleaned, records.EXTRA_CONVERTED, sanitizer.converted)
    data = _encode(cleaned)
    if len(data) > limit_bytes:
        data, was_cut = _shrink(cleaned, limit_bytes), True
    return data, sanitizer.converted, was_cut


def _shrink(fields: list[Any], limit_bytes: int) -> bytes:
    """Cut strings to the greatest length at which the record fits, else leave out items too."""
    lengths = [length for length in LENGTHS if length < limit_bytes]
    shortener = Shortener()
    best = _shortened(shortener, fields, lengths[-1])
    data: bytes = _encode(best)
    if len(data) > limit_bytes:
        return _drop_items(best, limit_bytes)
    too_long, fitting = -1, len(lengths) - 1
    while fitting - too_long > 1:
        middle = (too_long + fitting) // 2
        candidate: bytes = _encode(_shortened(shortener, fields, lengths[middle]))
        if len(candidate) <= limit_bytes:
            fitting, data = middle, candidate
        else:
            too_long = middle
    return data


def _shortened(shortener: Shortener, fields: list[Any], length: int) -> list[Any]:
    shortened = shortener.shorten(fields, length)
    if not shortener.cut_bytes:
        return shortened
    return _with_extra(shortened, records.EXTRA_CUT_BYTES, shortener.cut_bytes)


def _drop_items(fields: list[Any], limit_bytes: int) -> bytes:
    """Halve whatever takes most, attributes, events or links, until the record fits."""
    while True:
        sizes = {
            index: len(_encode(fields[index]))
            for index in _DROPPABLE
            if index < len(fields) and fields[index]
        }
        if sizes:
            largest = max(sizes, key=sizes.__getitem__)
            fields = _with_fewer(fields, largest, len(fields[largest]) // 2)
        data: bytes = _encode(fields)
        if len(data) <= limit_bytes or not sizes:
            return data


def _without_hopeless(fields: list[Any], limit_bytes: int) -> tuple[list[Any], bool]:
    """Leave out attributes, events and links that cannot have room, however short they are."""
    was_cut = False
    for index, (_, fewest_bytes) in _DROPPABLE.items():
        most = limit_bytes // fewest_bytes
        if index < len(fields) and fields[index] and len(fields[index]) > most:
            fields = _with_fewer(fields, index, most)
            was_cut = True
    return fields, was_cut


def _with_fewer(fields: list[Any], index: int, kept: int) -> list[Any]:
    """Keep the first attributes, but the newest events and links, as the SDK's own limits do."""
    items = fields[index]
    fields = _with_extra(fields, _DROPPABLE[index][0], len(items) - kept)
    fields[index] = (
        dict(itertools.islice(items.items(), kept))
        if isinstance(items, dict)
        else items[len(items) - kept :]
    )
    return fields


def _with_extra(fields: list[Any], key: str, count: int) -> list[Any]:
    fields = list(fields)
    if len(fields) > _EXTRAS:  # a span start has no extras
        extras = dict(fields[_EXTRAS] or {})
        extras[key] = extras.get(key, 0) + count
        fields[_EXTRAS] = extras
    return fields
