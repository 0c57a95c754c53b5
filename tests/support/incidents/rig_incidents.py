"""Incidents made of what a recording rig holds, without a recorder or a trigger."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan, Span

from otel_flight.incidents.flight_file import OPEN_SPANS, segment_entry
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.frozen_incident import capture_open_spans
from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.incidents.window import Window, WindowSegment
from otel_flight.records.ids import span_text, trace_text
from otel_flight.ring.layout import LANES
from tests.support.rigs.recording_rig import RecordingRig

INCIDENT_ID: Final = "20260101-100000-3f9a1c"
CLOSED_NS: Final = 2_000_000_000_000_000_000
"""Long after anything a test records."""


def window_of(rig: RecordingRig, closed_ns: int = CLOSED_NS) -> Window:
    """Return everything the rig recorded, and what is open in it."""
    rig.tick()
    segments = [
        WindowSegment(segment)
        for lane in LANES
        for segment in rig.ring.image.segments(lane)
        if segment.records
    ]
    open_spans, _ = capture_open_spans(rig.session, closed_ns)
    return Window(segments, open_spans)


def incident_of(rig: RecordingRig, **manifest: Any) -> Incident:
    """Return an incident of everything the rig recorded.

    Args:
        rig: whose spans.
        **manifest: fields of the manifest other than the obvious ones.
    """
    window = window_of(rig, manifest.get("closed_ns", CLOSED_NS))
    described = Manifest(
        **{
            "incident_id": INCIDENT_ID,
            "closed_ns": CLOSED_NS,
            "process": {"host": "web-1"},
            "resource": dict(rig.provider.resource.attributes),
            "segments": [segment_entry(item) for item in window.segments],
            "open_spans_file": OPEN_SPANS if window.open_spans else "",
            "open_spans_records": window.open_spans.records if window.open_spans else 0,
            **manifest,
        }
    )
    return Incident(described, window)


def cause_of(span: ReadableSpan | Span, trigger: str = "error_span", **fields: Any) -> Cause:
    """Return the cause that a trigger firing for this span would give."""
    context = span.get_span_context()
    assert context is not None
    return Cause(
        **{
            "trigger": trigger,
            "reason": "error span",
            "subject": span.name,
            "time_ns": span.end_time or CLOSED_NS,
            "trace_id": trace_text(context.trace_id),
            "span_id": span_text(context.span_id),
            **fields,
        }
    )
