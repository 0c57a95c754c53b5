"""An incident as it is when it closes: the window, what is still open, and what is known at once.

All that needs the records decoded is worked out later, on another thread.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from otel_flight.incidents.flight_file import OPEN_SPANS, segment_entry
from otel_flight.incidents.frozen_window import FrozenWindow
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Losses, Manifest
from otel_flight.incidents.window import Window
from otel_flight.recording.session import RecordingSession
from otel_flight.ring.facts import PIPELINE, SERVICE, SPOOL, SPOOL_PROBLEM
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import RingHeader, Segment

_NOT_TOLD: Final = (PIPELINE, SPOOL, SPOOL_PROBLEM)


def frozen_incident(
    incident_id: str,
    frozen: FrozenWindow,
    session: RecordingSession,
    header: RingHeader,
    *,
    opened_ns: int,
    closed_ns: int,
) -> Incident:
    """Return an incident without its causes. Any thread; blocks for milliseconds.

    Args:
        incident_id: its id.
        frozen: its window.
        session: has the spans that are still open, and counts what was lost.
        header: of the ring.
        opened_ns: when it opened, wall clock.
        closed_ns: when it closes, wall clock.
    """
    open_segment, open_count = capture_open_spans(session, closed_ns)
    segments = frozen.segments()
    coverage = frozen.coverage(LANE_SPANS, closed_ns)
    manifest = Manifest(
        incident_id=incident_id,
        service_name=str(header.facts.get(SERVICE, "")),
        opened_ns=opened_ns,
        closed_ns=closed_ns,
        coverage=coverage,
        process=process_facts(header),
        segments=[segment_entry(item) for item in segments],
        open_spans_file=OPEN_SPANS if open_segment is not None else "",
        open_spans_records=open_segment.records if open_segment is not None else 0,
        open_spans=open_count,
        window_bytes=sum(len(item.segment.payload) for item in segments),
        losses=_losses(frozen, session, is_complete=coverage.is_complete),
    )
    return Incident(manifest, Window(segments, open_segment))


def capture_open_spans(session: RecordingSession, now_ns: int) -> tuple[Segment | None, int]:
    """Return the open spans, encoded with the definitions they need, and how many they are.

    The spans go on being used by their threads meanwhile: each is seen as it was at one moment.
    """
    definitions: dict[int, bytes] = {}
    spans: list[bytes] = []
    for span in list(session.open_spans.spans.values()):
        data, scope = session.encoder.encode_open(span, now_ns)
        definition = session.scopes.definition(scope)
        if definition is not None:
            if definition.parent is not None:
                definitions[definition.parent.number] = definition.parent.record
            definitions[definition.number] = definition.record
        spans.append(data)
    if not spans:
        return None, 0
    return open_segment(definitions.values(), spans, now_ns), len(spans)


def open_segment(definitions: Collection[bytes], spans: Sequence[bytes], now_ns: int) -> Segment:
    """Return a segment of open spans, as of a moment, behind the definitions they need."""
    return Segment(
        lane=LANE_SPANS,
        sequence=0,
        opened_ns=now_ns,
        opened_monotonic_ns=0,
        sealed_ns=now_ns,
        first_record=0,
        records=len(definitions) + len(spans),
        definitions=len(definitions),
        payload=b"".join([*definitions, *spans]),
    )


def _losses(frozen: FrozenWindow, session: RecordingSession, *, is_complete: bool) -> Losses:
    counts = [lane.counts() for lane in session.lanes]
    return Losses(
        evicted=0 if is_complete else counts[LANE_SPANS].evicted_records,
        overtaken=max(0, frozen.missing_records()),
        dropped=sum(lane.dropped_records for lane in counts),
        cut=session.encoder.cut_records,
        converted=session.encoder.converted,
        open_spans_evicted=session.open_spans.evicted,
    )


def process_facts(header: RingHeader) -> dict[str, Any]:
    """Return which process a ring is of, as the manifest states it."""
    known = {name: fact for name, fact in header.facts.items() if name not in _NOT_TOLD}
    return {**known, "pid": header.pid, "started_ns": header.created_wall_ns}
