"""Where each span of a window is, without keeping any of them decoded.

A full window holds 50 000 spans and more. Kept as objects they would triple the memory and add tens
of milliseconds to every full garbage collection of the host, so the index is flat arrays of
numbers, and a span is decoded again, in two microseconds, when it is its turn.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from otel_flight.delivery.otlp.values import FIXED_SPAN_BYTES, most_span_bytes
from otel_flight.incidents.gil_yields import YieldGil
from otel_flight.incidents.window import Window, WindowSegment, WindowSpan
from otel_flight.records import records
from otel_flight.records.boundaries import find_records
from otel_flight.records.decoder import UNREADABLE, decode_record, decode_records, whole_ns
from otel_flight.records.records import OpenSpan, ResourceDefinition, ScopeDefinition, Span
from otel_flight.records.span_head import SpanHead
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import Segment

SMALL_RECORD_BYTES: Final = 1536
_MOST_GROWTH: Final = 13
"""A byte of a record takes at most this many bytes as OTLP, when it is a small negative integer."""

_ARRAY32: Final = b"\xdd"
_SAMPLED: Final = 1
_OPEN: Final = 2
_SPAN_KINDS: Final = (records.SPAN, records.OPEN_SPAN)
_DEFINITION_KINDS: Final = (records.RESOURCE, records.SCOPE)
_NO_GROWTH: Final[Mapping[int, int]] = MappingProxyType({})


_decode_span: Callable[[bytes], Span | OpenSpan] = msgspec.msgpack.Decoder(Span | OpenSpan).decode
_decode_raw = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_head = msgspec.msgpack.Decoder(SpanHead).decode
_decode_heads = msgspec.msgpack.Decoder(list[SpanHead]).decode


class LocalRoot(NamedTuple):
    """A span without a parent in this process."""

    ordinal: int
    start_ns: int
    end_ns: int


class _IndexedSegment(NamedTuple):
    payload: bytes
    first_record: int
    scopes: dict[int, ScopeDefinition]
    resources: dict[int, ResourceDefinition]


class SpanIndex:
    """The spans of a window, numbered from 0, oldest first, those still open last.

    Each span is there once: of several records with its id the first one that shows it ended.

    Args:
        window: the window.
        yield_gil: called after every span, to let other threads run.
        growth: by trace and span id in one number, the bytes of what is added to a span later.

    Attributes:
        grown: the spans that something is added to, by the same number.
    """

    def __init__(
        self, window: Window, yield_gil: YieldGil, growth: Mapping[int, int] = _NO_GROWTH
    ) -> None:
        self.grown: dict[int, int] = {}
        self._growth = growth
        self._yield_gil = yield_gil
        self._segments: list[_IndexedSegment] = []
        self._segment = array("I")
        self._offset = array("I")
        self._length = array("I")
        self._bytes = array("I")
        self._number = array("q")
        self._flags = bytearray()
        self._trace = array("I")
        self._previous = array("i")
        self._newest = array("i")
        self._trace_spans = array("I")
        self._trace_bytes = array("q")
        self._traces: dict[int, int] = {}
        self._roots = array("I")
        self._root_times = array("q")
        self._seen: set[int] = set()
        for item in window.segments:
            if item.segment.lane == LANE_SPANS:
                self._add_segment(item)
        if window.open_spans is not None:
            self._add_segment(WindowSegment(window.open_spans))
        self._seen.clear()

    def __len__(self) -> int:
        return len(self._offset)

    def span(self, ordinal: int) -> WindowSpan | None:
        """Decode a span; None when its record cannot be understood."""
        segment = self._segments[self._segment[ordinal]]
        start = self._offset[ordinal]
        payload = segment.payload[start : start + self._length[ordinal]]
        record = _decoded(payload)
        if record is None:
            return None
        scope = segment.scopes.get(record.scope)
        resource = segment.resources.get(scope.resource) if scope is not None else None
        return WindowSpan(record, self._number[ordinal], scope, resource)

    def most_bytes(self, ordinal: int) -> int:
        """Return at least the bytes the span takes as OTLP."""
        return self._bytes[ordinal]

    def number(self, ordinal: int) -> int:
        """Return the span's record number in its lane; -1 for an open span."""
        return self._number[ordinal]

    def is_sampled(self, ordinal: int) -> bool:
        """Whether the head sampler kept the span."""
        return bool(self._flags[ordinal] & _SAMPLED)

    def is_open(self, ordinal: int) -> bool:
        """Whether the span had not ended."""
        return bool(self._flags[ordinal] & _OPEN)

    def open_spans(self) -> Iterator[int]:
        """Yield the spans that had not ended; they are the last ones."""
        for ordinal in range(len(self) - 1, -1, -1):
            if not self.is_open(ordinal):
                return
            yield ordinal

    def traces(self) -> Iterator[int]:
        """Yield the number of every trace, the one with the newest record first."""
        for ordinal in range(len(self) - 1, -1, -1):
            trace = self._trace[ordinal]
            if self._newest[trace] == ordinal:
                yield trace

    def trace_number(self, trace_id: int) -> int | None:
        """Return the number of a trace, None when none of its spans is here."""
        return self._traces.get(trace_id)

    def trace_ids(self) -> Iterator[int]:
        """Yield the id of every trace in the order of their numbers."""
        return iter(self._traces)

    def span_count(self, trace: int) -> int:
        """Return how many spans a trace has, by its number."""
        return self._trace_spans[trace]

    def record_bytes(self, trace: int) -> int:
        """Return how many bytes the records of a trace take, by its number."""
        return self._trace_bytes[trace]

    def trace_of(self, ordinal: int) -> int:
        """Return the number of the trace a span belongs to."""
        return self._trace[ordinal]

    def trace_spans(self, trace: int) -> list[int]:
        """Return the spans of a trace by its number, newest first."""
        found = []
        ordinal = self._newest[trace]
        while ordinal >= 0:
            found.append(ordinal)
            ordinal = self._previous[ordinal]
        return found

    def local_roots(self) -> Iterator[LocalRoot]:
        """Yield the local roots, oldest first, those still open last."""
        for position, ordinal in enumerate(self._roots):
            start_ns, end_ns = self._root_times[2 * position : 2 * position + 2]
            yield LocalRoot(ordinal, start_ns, end_ns)
            self._yield_gil()

    def _add_segment(self, item: WindowSegment) -> None:
        segment = item.segment
        self._segments.append(_IndexedSegment(segment.payload, segment.first_record, {}, {}))
        for number, offset, data, head in _heads(segment):
            if head.record_kind in _DEFINITION_KINDS:
                self._add_definition(data)
            elif head.record_kind in _SPAN_KINDS and number >= item.outdated:
                try:
                    self._add_span(head, data, offset, number)
                except (TypeError, ValueError, OverflowError):
                    pass  # it claims to be a span, and is none
            self._yield_gil()

    def _add_definition(self, data: bytes) -> None:
        segment = self._segments[-1]
        for record in decode_records(data, 1).records:
            if isinstance(record, ScopeDefinition):
                segment.scopes[record.number] = record
            elif isinstance(record, ResourceDefinition):
                segment.resources[record.number] = record

    def _add_span(self, head: SpanHead, data: bytes, offset: int, number: int) -> None:
        # Everything that could fail for an odd record comes before the first append.
        is_open = head.record_kind == records.OPEN_SPAN
        is_root = not head.parent_span_id or bool(head.flags & records.FLAG_PARENT_IS_REMOTE)
        trace_id = head.trace_id_high << 64 | head.trace_id_low
        key = trace_id << 64 | head.span_id
        flags = (head.flags & _SAMPLED) | (_OPEN if is_open else 0)
        if key in self._seen:
            return
        self._seen.add(key)
        ordinal = len(self._offset)
        self._segment.append(len(self._segments) - 1)
        self._offset.append(offset)
        self._length.append(len(data))
        growth = self._growth.get(key, 0)
        if growth:
            self.grown[key] = ordinal
        self._bytes.append(_most_bytes(data) + growth)
        self._number.append(-1 if is_open else self._segments[-1].first_record + number)
        self._flags.append(flags)
        trace = self._traces.setdefault(trace_id, len(self._traces))
        if trace == len(self._newest):
            self._newest.append(-1)
            self._trace_spans.append(0)
            self._trace_bytes.append(0)
        self._trace_spans[trace] += 1
        self._trace_bytes[trace] += len(data) + growth
        self._trace.append(trace)
        self._previous.append(self._newest[trace])
        self._newest[trace] = ordinal
        if is_root:
            self._roots.append(ordinal)
            self._root_times.extend((whole_ns(head.start_ns), whole_ns(head.end_ns)))


def _heads(segment: Segment) -> Iterator[tuple[int, int, bytes, SpanHead]]:
    """Yield of each record its position, from where on it is, its bytes, and how it begins."""
    payload, count = segment.payload, segment.records
    try:
        message = b"".join((_ARRAY32, min(count, len(payload)).to_bytes(4, "big"), payload))
        raws, heads = map(bytes, _decode_raw(message)), _decode_heads(message)
    except UNREADABLE:
        for found in find_records(payload, count, decode_record):
            data = payload[found.start : found.end]
            yield found.number, found.start, data, _decode_head(data)
        return
    offset = 0
    for number, (data, head) in enumerate(zip(raws, heads, strict=True)):
        yield number, offset, data, head
        offset += len(data)


def _decoded(data: bytes) -> Span | OpenSpan | None:
    try:
        return _decode_span(data)
    except msgspec.MsgspecError:  # one that must be put right, or none at all
        for record in decode_records(data, 1).records:
            if isinstance(record, Span | OpenSpan):
                return record
    return None


def _most_bytes(data: bytes) -> int:
    if len(data) <= SMALL_RECORD_BYTES:
        return FIXED_SPAN_BYTES + _MOST_GROWTH * len(data)
    record = _decoded(data)
    return FIXED_SPAN_BYTES if record is None else most_span_bytes(record)
