"""Incidents for tests, recorded by the real span processor into a real ring.

Times are milliseconds after `START_NS`; nothing here reads or waits for a clock.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from otel_flight.assembly import ASSEMBLY, Settings
from otel_flight.ground.clock import ClockPair
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import OPEN_SPANS, segment_entry
from otel_flight.incidents.frozen_window import FrozenWindow
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import complete
from otel_flight.incidents.making.frozen_incident import capture_open_spans
from otel_flight.incidents.manifest import Cause, Coverage, Losses, Manifest
from otel_flight.incidents.window import Window
from otel_flight.interpreter.code.places import Place
from otel_flight.recording.first_spans import FirstSpans
from otel_flight.recording.session import RecordingSession
from otel_flight.recording.span_processor import RecordingSpanProcessor, unwatched
from otel_flight.records.ids import span_text, trace_text
from otel_flight.records.records import RuntimeEvent
from otel_flight.ring.ring import Ring

START_NS: Final = 1_767_261_600_000_000_000
"""2026-01-01 10:00:00 UTC."""
REMOTE_PARENT: Final = NonRecordingSpan(
    SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
)
_MS: Final = 1_000_000
_HOUR_SECONDS: Final = 3600.0


def at(milliseconds: float) -> int:
    """Return the time that many milliseconds after the start."""
    return START_NS + round(milliseconds * _MS)


def place(function: str, file: str, line: int) -> Place:
    """Return a place on a stack, as if such a function were running."""
    names = {"co_name": function, "co_filename": file}
    if sys.version_info >= (3, 11):
        names["co_qualname"] = function
    return place.__code__.replace(**names), line  # type: ignore[arg-type]


@final
class IncidentBuilder:
    """Record spans, then make an incident of them.

    Args:
        ring_directory: where the ring goes; removed again by `close` or the `with` block.
        service: `service.name`.
        window_bytes: size of the ring.
    """

    def __init__(
        self, ring_directory: Path, *, service: str = "shop", window_bytes: int = 1024**2
    ) -> None:
        self._session = RecordingSession(
            Settings(ring_directory=str(ring_directory), window_bytes=window_bytes)
        )
        self._resource = Resource({"service.name": service, "host.name": "web-1"})
        self._session.open_ring({"service": service})
        assert self._session.ring is not None
        self._ring = self._session.ring
        processor = RecordingSpanProcessor(FirstSpans(unwatched), Guard())
        processor.record_into(self._session, unwatched, unwatched)
        self._provider = TracerProvider(resource=self._resource)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("shop.app", "1.2")
        self.service = service

    def __enter__(self) -> IncidentBuilder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the ring."""
        self._provider.shutdown()
        self._session.close()

    @property
    def ring(self) -> Ring:
        """The ring, as its owner has it."""
        return self._ring

    @property
    def ring_path(self) -> Path:
        """The ring's file."""
        assert self._ring.backing.path is not None
        return self._ring.backing.path

    def span(
        self,
        name: str,
        start_ms: float,
        end_ms: float | None,
        parent: trace.Span | None = None,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        error: BaseException | str | None = None,
    ) -> Span:
        """Record a span; children first, as they end first.

        Args:
            name: its name.
            start_ms: when it started.
            end_ms: when it ended; None leaves it open.
            parent: None makes a local root, as does `REMOTE_PARENT`.
            kind: its kind.
            attributes: its attributes.
            error: an exception is recorded as an event, a text becomes the status description
                alone; both set the status ERROR.
        """
        span = self.open(name, start_ms, parent, kind=kind, attributes=attributes)
        if end_ms is not None:
            self.end(span, end_ms, error=error)
        return span

    def open(
        self,
        name: str,
        start_ms: float,
        parent: trace.Span | None = None,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
    ) -> Span:
        """Start a span."""
        context = trace.set_span_in_context(parent) if parent is not None else None
        span = self._tracer.start_span(
            name, context, kind, attributes=dict(attributes or {}), start_time=at(start_ms)
        )
        assert isinstance(span, Span)
        return span

    def end(self, span: Span, end_ms: float, *, error: BaseException | str | None = None) -> Span:
        """End a span, with an error if there is one."""
        if isinstance(error, BaseException):
            span.record_exception(error, timestamp=at(end_ms))
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        elif error is not None:
            span.set_status(Status(StatusCode.ERROR, error or None))
        span.end(at(end_ms))
        return span

    def request(
        self, name: str, start_ms: float, end_ms: float | None, *, error: str | None = None
    ) -> Span:
        """Record a request without children, as other clients send them."""
        return self.span(name, start_ms, end_ms, kind=SpanKind.SERVER, error=error)

    def event(
        self,
        source: str,
        name: str,
        start_ms: float,
        end_ms: float | None = None,
        *,
        thread_id: int = 0,
        span: trace.Span | None = None,
        attributes: Mapping[str, Any] | None = None,
        places: Sequence[Place] = (),
    ) -> None:
        """Record a runtime event, as a source would.

        Args:
            source: the source's name.
            name: what happened.
            start_ms: when it began.
            end_ms: when it was over; None for a moment.
            thread_id: where it happened; spans start on the calling thread.
            span: the span it belongs to.
            attributes: its attributes.
            places: the stack that goes with it, outermost first.
        """
        context = span.get_span_context() if span is not None else None
        trace_id, span_id = (context.trace_id, context.span_id) if context else (0, 0)
        end_ms = start_ms if end_ms is None else end_ms
        event = RuntimeEvent(
            source,
            name,
            at(start_ms),
            at(end_ms),
            thread_id,
            trace_id >> 64,
            trace_id & (1 << 64) - 1,
            span_id,
            dict(attributes or {}),
        )
        self._session.runtime.record(event, places)

    def cause(
        self,
        trigger: str,
        reason: str,
        span: Span | None,
        at_ms: float,
        attributes: Mapping[str, Any] | None = None,
    ) -> Cause:
        """Return the cause of a trigger that fired."""
        context = span.get_span_context() if span is not None else None
        return Cause(
            trigger=trigger,
            reason=reason,
            subject=span.name if span is not None else "",
            time_ns=at(at_ms),
            trace_id=trace_text(context.trace_id) if context else "",
            span_id=span_text(context.span_id) if context else "",
            attributes=dict(attributes or {}),
        )

    def slow(
        self, span: Span, at_ms: float, *, trigger: str = "slow_root", limit_ms: float = 1000
    ) -> Cause:
        """Return the cause of a local root that was over its limit."""
        start_ns = span.start_time or 0
        return self.cause(
            trigger,
            "slow local root",
            span,
            at_ms,
            {
                "flight_recorder.duration_ns": at(at_ms) - start_ns,
                "flight_recorder.limit_ns": round(limit_ms * _MS),
            },
        )

    def failed(self, span: Span, at_ms: float) -> Cause:
        """Return the cause of a span that ended with an error."""
        return self.cause("error_span", "error span", span, at_ms)

    def incident(
        self,
        *causes: Cause,
        closed_ms: float,
        incident_id: str = "20260101-100000-3f9a1c",
        losses: Losses | None = None,
    ) -> Incident:
        """Freeze the window and return the incident, complete with its findings.

        Args:
            causes: in the order they fired; none makes a snapshot.
            closed_ms: when it closed: the end of what is still open.
            incident_id: its id.
            losses: what to say was lost.
        """
        header = self._ring.image.header()
        moment = ClockPair(at(closed_ms), header.created_monotonic_ns)
        frozen = FrozenWindow(self._ring.image, moment, _HOUR_SECONDS)
        segments = frozen.segments()
        open_segment, open_spans = capture_open_spans(self._session, at(closed_ms))
        opened_ns = causes[0].time_ns if causes else at(closed_ms)
        manifest = Manifest(
            incident_id=incident_id,
            service_name=self.service,
            causes=list(causes),
            opened_ns=opened_ns,
            closed_ns=at(closed_ms),
            coverage=Coverage(
                requested_seconds=60.0,
                requested_start_ns=opened_ns - 60_000 * _MS,
                start_ns=START_NS,
                end_ns=at(closed_ms),
                is_complete=True,
            ),
            process={**header.facts, "host": "web-1", "pid": 4242},
            segments=[segment_entry(item) for item in segments],
            open_spans_file=OPEN_SPANS if open_segment is not None else "",
            open_spans_records=open_segment.records if open_segment is not None else 0,
            open_spans=open_spans,
            window_bytes=sum(len(item.segment.payload) for item in segments),
            losses=losses or Losses(),
        )
        guard = Guard()
        closed = Incident(manifest, Window(segments, open_segment))
        incident = complete(closed, ASSEMBLY.rulebook, guard, set())
        assert guard.errors() == ()
        return incident
