"""The records of an incident, decoded and put together with their scopes and resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
from opentelemetry.trace import SpanKind, StatusCode

from otel_flight.names.attributes import ONGOING
from otel_flight.records.decoder import Decoded, decode_records
from otel_flight.records.incident_records import IncidentOpened, IncidentState
from otel_flight.records.records import (
    Frame,
    OpenSpan,
    Record,
    ResourceDefinition,
    RuntimeEvent,
    ScopeDefinition,
    Span,
    SpanStart,
    StackDefinition,
)
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS
from otel_flight.ring.reader import Segment

STATUS_ERROR: Final[int] = StatusCode.ERROR.value
KIND_SERVER: Final[int] = SpanKind.SERVER.value
KIND_CLIENT: Final[int] = SpanKind.CLIENT.value
KIND_PRODUCER: Final[int] = SpanKind.PRODUCER.value


class WindowRecord(NamedTuple):
    """A record with what its segment says about it."""

    record: Record
    number: int
    """Its number in its lane; -1 for a span that was still open."""
    scope: ScopeDefinition | None
    resource: ResourceDefinition | None
    stack: StackDefinition | None = None


class WindowEvent(msgspec.Struct, frozen=True, gc=False):
    """A runtime event of the window. Kept by the thousand: garbage collection does not track it."""

    record: RuntimeEvent
    """What was recorded."""
    number: int
    """Its number in the runtime lane."""
    stack: StackDefinition | None
    """The stack that was recorded with it; None when there is none."""

    @property
    def name(self) -> str:
        """What happened, of low cardinality."""
        return self.record.name

    @property
    def start_ns(self) -> int:
        """When it began."""
        return self.record.start_ns

    @property
    def end_ns(self) -> int:
        """When it was over; the same as `start_ns` for a moment."""
        return self.record.end_ns

    @property
    def duration_ns(self) -> int:
        """How long it took; 0 for a moment."""
        return self.record.duration_ns

    @property
    def frames(self) -> Sequence[Frame]:
        """The stack that was recorded with it, outermost frame first; empty when there is none."""
        return self.stack.frames if self.stack is not None else ()


class WindowSpan(NamedTuple):
    """A span of the window."""

    record: Span | OpenSpan
    """What was recorded."""
    number: int
    """Its number in the span lane; -1 for a span that was still open."""
    scope: ScopeDefinition | None
    """Its instrumentation scope; None when it is not known."""
    resource: ResourceDefinition | None
    """Its resource; None when it is not known."""

    @property
    def is_open(self) -> bool:
        """Whether the span had not ended when the incident closed."""
        return isinstance(self.record, OpenSpan)

    @property
    def is_error(self) -> bool:
        """Whether its status is an error."""
        return self.record.status_code == STATUS_ERROR

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def start_ns(self) -> int:
        """When it started."""
        return self.record.start_ns

    @property
    def end_ns(self) -> int:
        """When it ended; for an open span, when the incident closed."""
        return self.record.end_ns

    @property
    def duration_ns(self) -> int:
        """Its duration; for an open span, until the incident closed."""
        return self.record.end_ns - self.record.start_ns


@dataclass(frozen=True)
class WindowSegment:
    """A segment, and how much of it is older than the window."""

    segment: Segment
    outdated: int = 0
    """How many records at its beginning are; the definitions among them are needed all the same."""


@dataclass
class Window:
    """Copied segments of both lanes, oldest first, and the spans still open.

    Iterating decodes a segment at a time, so a full window never stands decoded in memory twice.
    """

    segments: Sequence[WindowSegment]
    open_spans: Segment | None = None
    undecoded: int = field(default=0, init=False)
    """Records the last full iteration could not read."""

    def records(self, lane: int) -> Iterator[WindowRecord]:
        """Yield the records of a lane in the order they were written.

        Definitions are left out, and what the ring says of incidents.
        """
        for item in self.segments:
            if item.segment.lane == lane:
                yield from self._segment_records(item)

    def spans(self) -> Iterator[WindowSpan]:
        """Yield the ended spans of the window, oldest first, then those still open."""
        for item in self.records(LANE_SPANS):
            if isinstance(item.record, Span):
                yield WindowSpan(item.record, item.number, item.scope, item.resource)
        yield from self.unfinished()

    def unfinished(self) -> Iterator[WindowSpan]:
        """Yield the spans that were still open."""
        if self.open_spans is not None:
            for found in self._segment_records(WindowSegment(self.open_spans)):
                if isinstance(found.record, OpenSpan):
                    yield WindowSpan(found.record, -1, found.scope, found.resource)

    def starts(self) -> Iterator[SpanStart]:
        """Yield the records of local roots that started, oldest first."""
        for item in self.records(LANE_SPANS):
            if isinstance(item.record, SpanStart):
                yield item.record

    def events(self) -> Iterator[WindowEvent]:
        """Yield the runtime events in the order they were written."""
        for item in self.records(LANE_RUNTIME):
            if isinstance(item.record, RuntimeEvent):
                yield WindowEvent(item.record, item.number, item.stack)

    def _segment_records(self, item: WindowSegment) -> Iterator[WindowRecord]:
        segment = item.segment
        decoded: Decoded = decode_records(segment.payload, segment.records)
        self.undecoded += decoded.undecoded
        scopes: dict[int, ScopeDefinition] = {}
        resources: dict[int, ResourceDefinition] = {}
        stacks: dict[int, StackDefinition] = {}
        for index, record in zip(decoded.numbers, decoded.records, strict=True):
            if isinstance(record, ResourceDefinition):
                resources[record.number] = record
            elif isinstance(record, ScopeDefinition):
                scopes[record.number] = record
            elif isinstance(record, StackDefinition):
                stacks[record.number] = record
            elif index < item.outdated or isinstance(record, IncidentOpened | IncidentState):
                continue
            elif isinstance(record, RuntimeEvent):
                number = segment.first_record + index
                yield WindowRecord(record, number, None, None, stacks.get(record.stack))
            else:
                scope = scopes.get(record.scope)
                resource = resources.get(scope.resource) if scope is not None else None
                yield WindowRecord(record, segment.first_record + index, scope, resource)


def without_outdated(events: Iterable[WindowEvent]) -> list[WindowEvent]:
    """Return events without those that were recorded while they went on, and again when they ended.

    Args:
        events: in the order they were written, which they keep.
    """
    all_events = list(events)
    newest = {
        _identity(event): event.number for event in all_events if ONGOING in event.record.attributes
    }
    if not newest:
        return all_events
    for event in all_events:
        identity = _identity(event)
        if identity in newest:
            newest[identity] = max(newest[identity], event.number)
    return [
        event for event in all_events if newest.get(_identity(event), event.number) == event.number
    ]


def _identity(event: WindowEvent) -> tuple[str, int, int]:
    return event.record.source, event.record.thread_id, event.record.start_ns
