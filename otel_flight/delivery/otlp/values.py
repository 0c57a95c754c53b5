"""What OTLP can hold of a recorded value, and how much room it takes there.

Records carry what msgpack can hold, which is a little more: integers up to unsigned 64 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_flight.records.records import Event, Link, OpenSpan, Span

LONGEST_TEXT_BYTES: Final = 2048
"""A text has at most this many bytes, and goes on under another key: Tempo cuts longer values."""

_INT_MAX: Final = (1 << 63) - 1
_TIME_MAX: Final = (1 << 64) - 1
_COUNT_MAX: Final = (1 << 32) - 1

_KEY_VALUE_BYTES: Final = 16
_ITEM_BYTES: Final = 8
_NUMBER_BYTES: Final = 11
FIXED_SPAN_BYTES: Final = 512
"""A span takes at most this many bytes besides what is recorded, the stamps of an incident
included."""
_EVENT_BYTES: Final = 40
_LINK_BYTES: Final = 64


def make_portable(attributes: dict[str, Any]) -> int:
    """Turn integers OTLP cannot hold into decimal text, in place; return how many there were."""
    converted = 0
    for key, value in attributes.items():
        kind = type(value)
        if kind is int:
            if value > _INT_MAX:
                attributes[key] = str(value)
                converted += 1
        elif kind is list:
            converted += _make_items_portable(value)
        elif kind is dict:
            converted += make_portable(value)
    return converted


def _make_items_portable(items: list[Any]) -> int:
    if any(type(item) is int and item > _INT_MAX for item in items):
        integers = [index for index, item in enumerate(items) if type(item) is int]
        for index in integers:  # all of them, so that an array of one type stays one
            items[index] = str(items[index])
        return len(integers)
    converted = 0
    for item in items:
        if type(item) is list:
            converted += _make_items_portable(item)
        elif type(item) is dict:
            converted += make_portable(item)
    return converted


def portable_time_ns(time_ns: int) -> int:
    """Return a time within what OTLP can hold: the encoder fails for the whole chunk beyond it."""
    return min(max(time_ns, 0), _TIME_MAX)


def portable_count(count: int) -> int:
    """Return a count of dropped items within what OTLP can hold."""
    return min(max(count, 0), _COUNT_MAX)


def texts_under(key: str, text: str) -> dict[str, str]:
    """Return a text under `key`; a longer one in parts, under `key`, `key.2`, `key.3` and so on."""
    encoded = text.encode("utf-8", "backslashreplace")
    parts: list[str] = []
    while encoded or not parts:
        end = min(len(encoded), LONGEST_TEXT_BYTES)
        while end < len(encoded) and encoded[end] & 0xC0 == 0x80:  # within a character
            end -= 1
        parts.append(encoded[:end].decode())
        encoded = encoded[end:]
    return {key if n == 1 else f"{key}.{n}": part for n, part in enumerate(parts, 1)}


def most_span_bytes(record: Span | OpenSpan) -> int:
    """Return at least the bytes the span takes as OTLP, the stamps of an incident included."""
    total = (
        FIXED_SPAN_BYTES + _text_bytes(record.name) + _text_bytes(record.status_description or "")
    )
    total += most_attributes_bytes(record.attributes) + most_attributes_bytes(record.extras or {})
    for event in record.events:
        total += most_event_bytes(event)
    for link in record.links:
        total += most_link_bytes(link)
    return total


def most_event_bytes(event: Event) -> int:
    """Return at least the bytes a span event takes as OTLP."""
    return _EVENT_BYTES + _text_bytes(event.name) + most_attributes_bytes(event.attributes)


def most_link_bytes(link: Link) -> int:
    """Return at least the bytes a span link takes as OTLP."""
    return _LINK_BYTES + _text_bytes(link.trace_state) + most_attributes_bytes(link.attributes)


def most_attributes_bytes(attributes: Mapping[str, Any]) -> int:
    """Return at least the bytes attributes take as OTLP."""
    return sum(
        _KEY_VALUE_BYTES + _text_bytes(key) + _value_bytes(value)
        for key, value in attributes.items()
    )


def _value_bytes(value: Any) -> int:
    if isinstance(value, str):
        return _ITEM_BYTES + _text_bytes(value)
    if isinstance(value, bytes):
        return _ITEM_BYTES + len(value)
    if isinstance(value, list):
        return _ITEM_BYTES + sum(_ITEM_BYTES + _value_bytes(item) for item in value)
    if isinstance(value, dict):
        return _ITEM_BYTES + most_attributes_bytes(value)
    return _NUMBER_BYTES if abs(value or 0) <= _INT_MAX else _ITEM_BYTES + 20


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
