"""An incident as `otel-flight show --json` prints it: what the types say here is its schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from otel_flight.incidents.manifest import Explanation, Finding, Manifest
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.window import WindowEvent
from otel_flight.records.ids import span_text, trace_text
from otel_flight.report.model.backend_links import BackendLinks
from otel_flight.report.model.incident_report import IncidentReport
from otel_flight.report.model.incident_words import LargeTraceSize
from otel_flight.report.model.timeline import Neighbour
from otel_flight.report.model.trace_rows import Row

VERSION: Final = 1
"""The document has this version, and the next one once something in it is taken out or changed."""


class TimeShare(msgspec.Struct):
    """What a part of the slow span's time went into."""

    words: str
    duration_ns: int
    share: float
    is_known: bool


class Frame(msgspec.Struct):
    """A frame of a stack, whose outermost frame is first."""

    function: str
    file: str
    line: int


class Event(msgspec.Struct):
    """A runtime event; times are nanoseconds since 1970, ids are empty where there are none."""

    source: str
    name: str
    start_ns: int
    end_ns: int
    thread_id: int
    trace_id: str
    span_id: str
    attributes: dict[str, Any]
    stack: Sequence[Frame]


class OpenRequest(msgspec.Struct):
    """A local root that was open when the incident closed."""

    name: str
    kind: int
    start_ns: int
    end_ns: int
    trace_id: str
    span_id: str
    is_open: bool
    is_error: bool


class WholeTimeline(msgspec.Struct):
    """The trigger's trace with what explains it, and what ran beside it, on one axis."""

    trace_id: str
    start_ns: int
    length_ns: int
    rows: Sequence[Row]
    spans: int
    pauses: int
    inferred: int
    neighbours: Sequence[Neighbour]
    neighbours_total: int
    neighbour_names: Sequence[tuple[str, int]]


class IncidentDocument(msgspec.Struct, kw_only=True):
    """An incident, with all that `otel-flight show` works out."""

    version: Literal[1] = VERSION
    id: str
    path: str
    manifest: Manifest
    findings: Sequence[Finding]
    time: Sequence[TimeShare]
    explanations: Sequence[Explanation]
    timeline: WholeTimeline
    events: Sequence[Event]
    open_requests: Sequence[OpenRequest]
    delivery: DeliveryState | None
    log_delivery: DeliveryState | None
    large_traces: Sequence[LargeTraceSize]
    links: BackendLinks
    otlp_json: str | None


def incident_document(
    entry: SpoolEntry, report: IncidentReport, links: BackendLinks
) -> IncidentDocument:
    """Return an incident's document, from a report in which nothing was left out."""
    return IncidentDocument(
        id=entry.incident_id,
        path=str(entry.path),
        manifest=report.manifest,
        findings=report.findings,
        time=[TimeShare(*share) for share in report.time_shares],
        explanations=report.explanations,
        timeline=_timeline(report),
        events=[_event(event) for event in report.events],
        open_requests=[
            OpenRequest(
                root.name,
                root.kind,
                root.start_ns,
                root.end_ns,
                trace_text(root.trace_id),
                span_text(root.span_id),
                root.is_open,
                root.is_error,
            )
            for root in report.open_roots
        ],
        delivery=report.state,
        log_delivery=report.log_state,
        large_traces=report.large_traces,
        links=links,
        otlp_json=str(report.json_copy) if report.json_copy is not None else None,
    )


def _timeline(report: IncidentReport) -> WholeTimeline:
    timeline = report.timeline
    return WholeTimeline(
        timeline.trace_id,
        timeline.start_ns,
        timeline.length_ns,
        [row for row in timeline.rows if isinstance(row, Row)],
        timeline.spans,
        timeline.pauses,
        timeline.inferred,
        timeline.neighbours,
        timeline.neighbours_total,
        timeline.neighbour_names,
    )


def _event(event: WindowEvent) -> Event:
    record = event.record
    return Event(
        record.source,
        record.name,
        record.start_ns,
        record.end_ns,
        record.thread_id,
        trace_text(record.trace_id),
        span_text(record.span_id),
        record.attributes,
        [Frame(frame.function, frame.file, frame.line) for frame in event.frames],
    )
