"""Encode spans to records: 0.5 µs by the SDK's private fields, else by its public properties.

`encode_end` runs on application threads inside `Span.end()`. It reads nothing twice, builds one
flat tuple and makes one call into msgspec; whatever that call refuses goes to `careful_encoding`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from opentelemetry.trace.span import DEFAULT_TRACE_STATE

from otel_flight.interpreter import sdk_internals
from otel_flight.recording.encoding.careful import (
    REFUSED,
    encode_within,
    link_fields,
    portable_fields,
    rare_fields,
    status_fields,
)
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.records import records

_LOW_64: Final = (1 << 64) - 1
_UNSET = sdk_internals.unset_status()


class SpanEncoder:
    """Encode the spans of one process. Safe from any thread; keeps no span.

    Attributes:
        converted: values that msgpack could not hold and were turned into text.
        cut_records: records over the limit that had strings cut.
    """

    __slots__ = ("_encode", "_limit_bytes", "_scope_entries", "_scopes", "converted", "cut_records")

    def __init__(self, scopes: ScopeTable, limit_bytes: int) -> None:
        self._scopes = scopes
        self._encode = msgspec.msgpack.Encoder().encode
        self._limit_bytes = limit_bytes
        self.converted = 0
        self.cut_records = 0

    def encode_end(self, span: Any) -> tuple[bytes, int]:
        """Return the record of a span that ended, and the number of its scope."""
        try:
            trace_id, span_id, _, flags, trace_state, _ = span._context
            parent = span._parent
            if parent is None:
                parent_id = 0
                flags = flags & 255
            else:
                parent_id = parent[1]
                flags = flags & 255 | 256 if parent[2] else flags & 255
            resource = span._resource
            scope = self._scopes.entries.get(id(span._instrumentation_scope))
            if scope is None or scope[1] is not resource:
                scope = self._scopes.add(span._instrumentation_scope, resource)
            attributes = span._attributes
            events = span._events
            links = span._links
            status = span._status
            data = self._encode(
                (
                    1,
                    trace_id >> 64,
                    trace_id & _LOW_64,
                    span_id,
                    parent_id,
                    flags,
                    scope[0],
                    span._name,
                    span._kind._value_,
                    span._start_time,
                    span._end_time,
                    attributes._dict,
                    [
                        (e._name, e._timestamp, e._attributes._dict, e._attributes.dropped)
                        for e in events._dq
                    ]
                    if events._dq
                    else (),
                    link_fields(links._dq) if links._dq else (),
                    0 if status is _UNSET else status_fields(status),
                    None
                    if trace_state is DEFAULT_TRACE_STATE
                    and not attributes.dropped
                    and not events.dropped
                    and not links.dropped
                    else rare_fields(span),
                )
            )
            if len(data) <= self._limit_bytes:
                return data, scope[0]
        except REFUSED:  # also a span of a shape we do not know
            pass
        return self.encode_carefully(span, records.SPAN, span.end_time)

    if not sdk_internals.HAS_KNOWN_FIELDS:

        def encode_end(self, span: Any) -> tuple[bytes, int]:
            """Return the record of a span that ended, and the number of its scope."""
            return self.encode_carefully(span, records.SPAN, span.end_time)

    def encode_open(self, span: Any, now_ns: int) -> tuple[bytes, int]:
        """Return the record of a span that is still open at `now_ns`. Not for the hot path."""
        return self.encode_carefully(span, records.OPEN_SPAN, now_ns)

    def encode_start(self, span: Any, thread_id: int) -> tuple[bytes, int]:
        """Return the record of a local root that started on the thread `thread_id`.

        Its attributes come later, with its end or with `encode_checkpoint`: this runs for every
        request, and nearly every request ends.
        """
        try:
            trace_id, span_id, _, flags, _, _ = span._context
            parent = span._parent
            scope = self._scopes.entries.get(id(span._instrumentation_scope))
            if scope is None or scope[1] is not span._resource:
                scope = self._scopes.add(span._instrumentation_scope, span._resource)
            data = self._encode(
                (
                    2,
                    trace_id >> 64,
                    trace_id & _LOW_64,
                    span_id,
                    0 if parent is None else parent[1],
                    flags & 255 if parent is None or not parent[2] else flags & 255 | 256,
                    scope[0],
                    span._name,
                    span._kind._value_,
                    span._start_time,
                    thread_id,
                )
            )
            if len(data) <= self._limit_bytes:
                return data, scope[0]
        except REFUSED:
            pass
        return self.encode_checkpoint(span, thread_id)

    def encode_checkpoint(self, span: Any, thread_id: int) -> tuple[bytes, int]:
        """Return the record of an open span with its attributes so far. Not for the hot path.

        Args:
            span: the recording span.
            thread_id: `threading.get_ident()` of the starting thread, 0 when not known.
        """
        scope_number = self._scope_number(span)
        fields = portable_fields(span, records.SPAN_START, scope_number, 0)
        start = (*fields[:10], thread_id, fields[11])
        return self._within_limit(start), scope_number

    def encode_carefully(self, span: Any, kind: int, end_ns: int | None) -> tuple[bytes, int]:
        """Encode any SDK's span, converting and cutting whatever needs it."""
        scope_number = self._scope_number(span)
        fields = portable_fields(span, kind, scope_number, end_ns)
        return self._within_limit(fields), scope_number

    def _within_limit(self, fields: tuple[Any, ...]) -> bytes:
        data, converted, was_cut = encode_within(fields, self._limit_bytes)
        self.converted += converted
        self.cut_records += was_cut
        return data

    def _scope_number(self, span: Any) -> int:
        scope, resource = span.instrumentation_scope, span.resource
        entry = self._scopes.entries.get(id(scope))
        if entry is None or entry.resource is not resource:
            entry = self._scopes.add(scope, resource)
        return entry.number
