"""A recording session with a real ring, fed by a real tracer provider, without a recorder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from typing_extensions import Self

from otel_flight.assembly import Settings
from otel_flight.ground.guard import Guard
from otel_flight.recording.first_spans import FirstSpans
from otel_flight.recording.open_spans import OpenRoot
from otel_flight.recording.session import RecordingSession
from otel_flight.recording.span_processor import RecordingSpanProcessor, unwatched
from otel_flight.records.decoder import decode_records
from otel_flight.records.records import (
    OpenSpan,
    Record,
    ResourceDefinition,
    ScopeDefinition,
    Span,
    SpanStart,
)
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import RingImage, Segment
from otel_flight.ring.ring import Ring

UNLIMITED = SpanLimits(
    max_attributes=SpanLimits.UNSET,
    max_events=SpanLimits.UNSET,
    max_links=SpanLimits.UNSET,
    max_span_attributes=SpanLimits.UNSET,
    max_event_attributes=SpanLimits.UNSET,
    max_link_attributes=SpanLimits.UNSET,
)
"""Takes away the limits that are on by default (128 each)."""


@dataclass(frozen=True)
class Recorded:
    """A record about a span, with what its own segment says about it."""

    record: Span | SpanStart | OpenSpan
    scope: ScopeDefinition | None
    resource: ResourceDefinition | None


class EndedSpans(SpanProcessor):
    """Keeps every span that ended, as the SDK hands it to span processors."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it."""
        self.spans.append(span)


class RecordingRig:
    """Spans of `tracer` go into the ring; `tick` does what the ticker's thread would.

    Args:
        directory: where the ring's file goes.
        span_limits: None: the SDK's.
        **settings: as `Settings` takes them.
    """

    def __init__(
        self, directory: Path, span_limits: SpanLimits | None = None, **settings: Any
    ) -> None:
        self.guard = Guard()
        self.settings = Settings(ring_directory=str(directory), **settings)
        self.root_ends: list[ReadableSpan] = []
        self.notable: list[tuple[ReadableSpan, bool]] = []
        self.ended = EndedSpans()
        self.begun = 0
        self.meanwhile: Callable[[], None] = unwatched
        self.first_spans = FirstSpans(self.begin_anew)
        self.processor = RecordingSpanProcessor(self.first_spans, self.guard)
        self.provider = TracerProvider(
            resource=Resource({"service.name": "rig"}),
            span_limits=span_limits,
            shutdown_on_exit=False,
        )
        self.provider.add_span_processor(self.processor)
        self.tracer = self.provider.get_tracer("rig", "1.0")
        self.session = RecordingSession(self.settings)
        self.session.open_ring({"service": "rig"})
        assert self.session.ring is not None
        self.ring: Ring = self.session.ring
        self._record(self.processor)

    def _root_ended(self, span: ReadableSpan, _root: OpenRoot | None) -> None:
        self.root_ends.append(span)

    def _record(self, processor: RecordingSpanProcessor) -> None:
        processor.record_into(self.session, self._root_ended, self._note)

    def _note(self, span: ReadableSpan, is_local_root: bool) -> None:
        self.notable.append((span, is_local_root))

    def collect_ended(self) -> list[ReadableSpan]:
        """Return a list that fills with every span that ends from now on."""
        self.provider.add_span_processor(self.ended)
        return self.ended.spans

    def begin_anew(self) -> None:
        """Do what a recorder does in a forked child, without a thread."""
        self.begun += 1
        self.meanwhile()
        if self.session.pid != os.getpid():
            self.session.abandon()
            self.session = RecordingSession(self.settings)
            self.session.open_ring({"service": "child"})
            assert self.session.ring is not None
            self.ring = self.session.ring
            self.replay()

    def replay(self) -> None:
        """Record what spans did before there was a session, and all others from now on."""
        replayed = RecordingSpanProcessor(self.first_spans, self.guard)
        self._record(replayed)
        self.first_spans.replay(replayed, lambda: self._record(self.processor))

    def tick(self) -> None:
        """Drain, beat and checkpoint once."""
        self.session.drain()
        self.session.heartbeat()
        self.session.checkpoint_open_spans()

    def recorded(self) -> list[Recorded]:
        """Return what the ring holds, oldest first; what cannot be decoded fails the test."""
        return list(resolved(self.ring.image))

    def newest(self) -> list[Recorded]:
        """Return what the newest segment holds."""
        sequence = self.ring.image.header().lanes[LANE_SPANS].sequence
        (segment,) = self.ring.image.segments(LANE_SPANS, after_sequence=sequence - 1)
        return list(resolved_segment(segment))

    def spans(self) -> list[Span]:
        """Return the ended spans that the ring holds, oldest first."""
        return [item.record for item in self.recorded() if type(item.record) is Span]

    def starts(self) -> list[SpanStart]:
        """Return the records of started spans that the ring holds, oldest first."""
        return [item.record for item in self.recorded() if isinstance(item.record, SpanStart)]

    def close(self) -> None:
        """Remove the ring."""
        self.processor.disconnect()
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def resolved(image: RingImage, lane: int = LANE_SPANS) -> Iterator[Recorded]:
    """Yield the records of a lane; each segment is decoded alone, with its own definitions."""
    for segment in image.segments(lane):
        yield from resolved_segment(segment)


def resolved_segment(segment: Segment) -> Iterator[Recorded]:
    """Yield a segment's records, checking that it counts them right and defines what they use."""
    found = decode_segment(segment)
    scopes: dict[int, ScopeDefinition] = {}
    resources: dict[int, ResourceDefinition] = {}
    for record in found:
        if isinstance(record, ResourceDefinition):
            resources[record.number] = record
        elif isinstance(record, ScopeDefinition):
            assert record.resource in resources, "a scope stands before its resource"
            scopes[record.number] = record
        else:
            assert isinstance(record, (Span, SpanStart, OpenSpan)), "not a record about a span"
            scope = scopes[record.scope] if record.scope else None
            yield Recorded(record, scope, resources[scope.resource] if scope else None)
    assert len(scopes) + len(resources) == segment.definitions


def decode_segment(segment: Segment) -> list[Record]:
    """Return a segment's records, definitions included, all of which must be readable."""
    decoded = decode_records(segment.payload, segment.records)
    assert decoded.undecoded == 0
    assert len(decoded.records) == segment.records
    return decoded.records
