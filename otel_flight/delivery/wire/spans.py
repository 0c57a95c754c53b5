"""Recorded spans as OTLP, byte by byte, without an object for each of their parts.

Only spans whose every part is usual; `Unencodable` is raised for the others, which are few, and for
which the official encoder takes its time. What is written here equals what that one writes for what
`SpanBuilder` builds.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from typing import Any, Final

from otel_flight.delivery.otlp.spans import SpanBuilder, kind_of, status_of
from otel_flight.delivery.otlp.values import portable_count
from otel_flight.delivery.wire.attributes import AttributeEncoding, Unencodable
from otel_flight.delivery.wire.protobuf import delimited, varint
from otel_flight.records import records
from otel_flight.records.records import Event, Link, Span

_MOST_REMEMBERED: Final = 4096
"""The encodings of at most this many names are remembered, those used last."""
_REMOTE: Final = records.FLAG_PARENT_IS_REMOTE

# Tags of opentelemetry/proto/trace/v1/trace.proto: field number and wire type.
_TRACE_ID: Final = b"\x0a\x10"  # these two with their lengths, which are always the same
_SPAN_ID: Final = b"\x12\x08"
_TRACE_STATE: Final = b"\x1a"
_PARENT_SPAN_ID: Final = b"\x22\x08"
_NAME: Final = b"\x2a"
_KIND: Final = b"\x30"
_START: Final = b"\x39"
_END: Final = b"\x41"
_ATTRIBUTES: Final = b"\x4a"
_DROPPED_ATTRIBUTES: Final = b"\x50"
_EVENTS: Final = b"\x5a"
_DROPPED_EVENTS: Final = b"\x60"
_LINKS: Final = b"\x6a"
_DROPPED_LINKS: Final = b"\x70"
_STATUS: Final = b"\x7a"
_EVENT_TIME: Final = b"\x09"
_EVENT_NAME: Final = b"\x12"
_EVENT_ATTRIBUTES: Final = b"\x1a"
_EVENT_DROPPED: Final = b"\x20"
_LINK_ATTRIBUTES: Final = b"\x22"
_LINK_DROPPED: Final = b"\x28"
_LINK_FLAGS: Final = b"\x35"
_STATUS_MESSAGE: Final = b"\x12"
_STATUS_CODE: Final = b"\x18"

# Whether the parent is remote is known (0x100), and whether it is (0x200); no other flag is sent.
_FLAGS: Final = b"\x85\x01\x00\x01\x00\x00"
_FLAGS_OF_REMOTE: Final = b"\x85\x01\x00\x03\x00\x00"
_NO_STATUS: Final = _STATUS + b"\x00"

_pack_ids = struct.Struct(">2sQQ2sQ").pack
_pack_times = struct.Struct("<cQcQ").pack
_pack_fixed64 = struct.Struct("<Q").pack
_pack_fixed32 = struct.Struct("<I").pack


class SpanEncoding:
    """Encodes the spans of one incident. Not for several threads at once.

    Args:
        builder: builds them for the official encoder, and knows what an incident adds to them.
    """

    def __init__(self, builder: SpanBuilder) -> None:
        self._builder = builder
        self._attributes = AttributeEncoding(_ATTRIBUTES)
        self._event_attributes = AttributeEncoding(_EVENT_ATTRIBUTES)
        self._link_attributes = AttributeEncoding(_LINK_ATTRIBUTES)
        stamps: list[bytes] = []
        self._attributes.extend(stamps, builder.common_stamps)
        self._end = b"".join((*stamps, _FLAGS))
        self._end_of_remote = b"".join((*stamps, _FLAGS_OF_REMOTE))
        self._name_and_kind = functools.lru_cache(_MOST_REMEMBERED)(_name_and_kind)

    def encode(self, record: Span) -> bytes:
        """Return a span, with its length in front.

        Raises:
            Unencodable: it is one for the official encoder.
            struct.error: it has a time or an id that OTLP cannot hold.
        """
        if not self._builder.is_plain(record):
            raise Unencodable
        parts = [
            _pack_ids(
                _TRACE_ID, record.trace_id_high, record.trace_id_low, _SPAN_ID, record.span_id
            ),
            self._name_and_kind(record.name, record.kind),
            _pack_times(_START, record.start_ns, _END, record.end_ns),
            _NO_STATUS if record.status == 0 else _status(record),
        ]
        self._attributes.extend(parts, record.attributes)
        is_remote = False
        if record.parent_span_id:
            parts.append(_PARENT_SPAN_ID + record.parent_span_id.to_bytes(8, "big"))
            is_remote = bool(record.flags & _REMOTE)
        parts.append(self._end_of_remote if is_remote else self._end)
        if record.events:
            parts += [_EVENTS + delimited(self._event(event)) for event in record.events]
        if record.links:
            parts += [_LINKS + delimited(self._link(link)) for link in record.links]
        if record.extras:
            parts.append(self._extras(record.extras))
        return delimited(b"".join(parts))

    def _event(self, event: Event) -> bytes:
        parts = [
            _EVENT_TIME + _pack_fixed64(event.time_ns),
            _EVENT_NAME + delimited(event.name.encode()),
            _count(_EVENT_DROPPED, event.dropped_attributes),
        ]
        self._event_attributes.extend(parts, event.attributes)
        return b"".join(parts)

    def _link(self, link: Link) -> bytes:
        parts = [
            _pack_ids(_TRACE_ID, link.trace_id_high, link.trace_id_low, _SPAN_ID, link.span_id),
            _LINK_FLAGS + _pack_fixed32(0x300 if link.flags & _REMOTE else 0x100),
            _count(_LINK_DROPPED, link.dropped_attributes),
        ]
        self._link_attributes.extend(parts, link.attributes)
        return b"".join(parts)

    def _extras(self, extras: Mapping[str, Any]) -> bytes:
        state = self._builder.trace_state(extras.get(records.EXTRA_TRACE_STATE, ""))
        text = ",".join(f"{key}={value}" for key, value in state.items())
        return b"".join(
            (
                _TRACE_STATE + delimited(text.encode()) if text else b"",
                _count(_DROPPED_ATTRIBUTES, extras.get(records.EXTRA_DROPPED_ATTRIBUTES, 0)),
                _count(_DROPPED_EVENTS, extras.get(records.EXTRA_DROPPED_EVENTS, 0)),
                _count(_DROPPED_LINKS, extras.get(records.EXTRA_DROPPED_LINKS, 0)),
            )
        )


def _name_and_kind(name: str, kind: int) -> bytes:
    # OTLP has a zeroth kind, for kinds unknown.
    return _NAME + delimited(name.encode()) + _KIND + varint(kind_of(kind).value + 1)


def _status(record: Span) -> bytes:
    status = status_of(record)
    encoded = _STATUS_CODE + varint(status.status_code.value) if status.status_code.value else b""
    if status.description:
        encoded += _STATUS_MESSAGE + delimited(status.description.encode())
    return _STATUS + delimited(encoded)


def _count(tag: bytes, count: int) -> bytes:
    return tag + varint(portable_count(count)) if count else b""
