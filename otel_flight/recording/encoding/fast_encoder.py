"""Encode spans in 0.5 µs, by the private fields of the SDK and by the positions of the record's.

`encode_end` runs on application threads inside `Span.end()`. It reads nothing twice, builds one
flat tuple and makes one call into msgspec; whatever that call refuses is encoded by `SpanEncoder`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from opentelemetry.trace.span import DEFAULT_TRACE_STATE

from otel_flight.ground.signal_errors import pass_on
from otel_flight.interpreter.sdk import internals as sdk_internals
from otel_flight.recording.encoding.portable_span import extras_of, links_of, status_of
from otel_flight.recording.encoding.record_limit import REFUSED
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.recording.encoding.span_encoder import SpanEncoder
from otel_flight.recording.ordinary_spans import WriteSpan
from otel_flight.records.records import Span
from otel_flight.redaction.redactor import Redactor
from otel_flight.ring.lane_writer import LaneWriter
from otel_flight.ring.layout import MAX_RECORD_BYTES

_LOW_64: Final = (1 << 64) - 1
_UNSET: Final = sdk_internals.unset_status()
_NOTHING: Final[dict[str, Any]] = {}


class FastSpanEncoder(SpanEncoder):
    """Encode the spans of an SDK whose private fields are known. Only where `IS_FAST`."""

    __slots__ = ()

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
                    links_of(links._dq) if links._dq else (),
                    0 if status is _UNSET else status_of(status),
                    None
                    if trace_state is DEFAULT_TRACE_STATE
                    and not attributes.dropped
                    and not events.dropped
                    and not links.dropped
                    else extras_of(span),
                )
            )
            redactor = self._redactor
            if redactor is not None:
                is_plain = status is _UNSET and trace_state is DEFAULT_TRACE_STATE
                if (
                    redactor.suspects(data)
                    if not is_plain or events._dq or links._dq
                    else redactor.suspects_plain(data, span._name, attributes._dict)
                ):
                    data = redactor.record(data)
            if len(data) <= self._limit_bytes:
                return data, scope[0]
        except REFUSED as error:  # also a span of a shape we do not know
            pass_on(error)
        return self.encode_carefully(span, Span, span.end_time)

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
            redactor = self._redactor
            if redactor is not None and redactor.suspects_plain(data, span._name, _NOTHING):
                data = redactor.record(data)
            if len(data) <= self._limit_bytes:
                return data, scope[0]
        except REFUSED as error:
            pass_on(error)
        return self.encode_checkpoint(span, thread_id)


def plain_writer(encoder: SpanEncoder, lane: LaneWriter) -> WriteSpan:
    """Return what writes ended spans that have nothing but plain attributes, given their parts."""
    if not isinstance(encoder, FastSpanEncoder):
        return lambda *_: False
    entries, add = encoder._scopes.entries, encoder._scopes.add
    pack, limit_bytes, append = encoder._encode, encoder._limit_bytes, lane.append
    redactor = encoder._redactor

    def write(  # noqa: PLR0917
        context: Any,
        parent: Any,
        resource: Any,
        scope: Any,
        name: Any,
        kind: Any,
        start_time: Any,
        end_time: Any,
        attributes: Any,
    ) -> bool:
        # By index: what is no tuple itself, but of a type that is one, takes long to unpack.
        if context[4] is not DEFAULT_TRACE_STATE:
            return False
        trace_id = context[0]
        flags = context[3] & 255
        parent_id = 0
        if parent is not None:
            parent_id = parent[1]
            if parent[2]:
                flags |= 256
        entry = entries.get(id(scope))
        if entry is None or entry[1] is not resource:
            entry = add(scope, resource)
        try:
            data = pack(
                (
                    1,
                    trace_id >> 64,
                    trace_id & _LOW_64,
                    context[1],
                    parent_id,
                    flags,
                    entry[0],
                    name,
                    kind._value_,
                    start_time,
                    end_time,
                    attributes,
                    (),
                    (),
                    0,
                    None,
                )
            )
        except REFUSED as error:
            pass_on(error)
            return False
        if redactor is not None and redactor.suspects_plain(data, name, attributes):
            data = redactor.record(data)
        if len(data) > limit_bytes:
            return False
        append(data, entry[0])
        return True

    return write


def has_record_layout(encoder_type: type[SpanEncoder]) -> bool:
    """Return whether an encoder writes fields in the order in which the record types have them.

    It is tried on a span whose fields all differ: an encoder that takes one for another would fill
    rings with records that are wrong, and say nothing.
    """
    scopes = ScopeTable()
    tried, portable = encoder_type(scopes, MAX_RECORD_BYTES), SpanEncoder(scopes, MAX_RECORD_BYTES)
    span, thread_id = sdk_internals.sample_span(), 7
    start = msgspec.msgpack.decode(tried.encode_start(span, thread_id)[0])
    whole_start = msgspec.msgpack.decode(portable.encode_start(span, thread_id)[0])
    is_start_right: bool = start == whole_start[: len(start)]  # attributes may be left out
    return is_start_right and tried.encode_end(span) == portable.encode_end(span)


IS_FAST: Final = sdk_internals.HAS_KNOWN_FIELDS and has_record_layout(FastSpanEncoder)
"""It tells whether spans are encoded by position; False for an SDK whose fields are not known."""


def span_encoder(
    scopes: ScopeTable, limit_bytes: int, redactor: Redactor | None = None
) -> SpanEncoder:
    """Return the fastest encoder that is right for this SDK's spans.

    Args:
        scopes: where the numbers of scopes come from.
        limit_bytes: how long a record may be.
        redactor: takes secrets out of what is encoded; None: they stay.
    """
    return (FastSpanEncoder if IS_FAST else SpanEncoder)(scopes, limit_bytes, redactor)
