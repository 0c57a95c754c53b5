"""Everything a report of one incident shows, worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_flight.incidents.evidence.durations.own_time import parts_of_slow
from otel_flight.incidents.evidence.durations.stopped_time import slow_request
from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.explanations.explanation import explain
from otel_flight.incidents.findings.rulebook import Rulebook
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Explanation, Finding, Manifest
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.report.model.incident_words import LargeTraceSize
from otel_flight.report.model.other_events import OtherEvents, find_other_events
from otel_flight.report.model.time_words import Share, shares_of
from otel_flight.report.model.timeline import UNLIMITED, Timeline, build_timeline


@dataclass(frozen=True)
class IncidentReport:
    """An incident, ready to be rendered.

    Attributes:
        manifest: what it says of itself.
        path: its file, None when it has none.
        trigger: the span that fired, None when no span did or it is not in the window.
        findings: the best explanation first.
        slow: the span whose time is told; None when slowness is not the matter.
        time_shares: what its time went into; together they are all of it.
        timeline: the trigger's trace, and what ran beside it.
        explanations: the pauses and inferred spans in it.
        other_events: what else happened in the process.
        events: all runtime events of the window, by start.
        roots: its local roots, by start.
        first_start_ns: when the earliest request of the window started.
        state: how far its delivery is, None for a file outside a spool.
        log_state: how far that of its log records is, None when they have no endpoint.
        json_copy: its OTLP-JSON copy, None when there is none.
        large_traces: those that some backends do not take as a whole, the largest first.
    """

    manifest: Manifest
    path: Path | None
    trigger: WindowSpan | None
    findings: Sequence[Finding]
    slow: WindowSpan | None
    time_shares: Sequence[Share]
    timeline: Timeline
    explanations: Sequence[Explanation]
    other_events: OtherEvents
    events: Sequence[WindowEvent]
    roots: Sequence[LocalRoot]
    first_start_ns: int
    state: DeliveryState | None = None
    log_state: DeliveryState | None = None
    json_copy: Path | None = None
    large_traces: Sequence[LargeTraceSize] = ()

    @property
    def open_roots(self) -> Sequence[LocalRoot]:
        """The local roots still open when it closed, by start."""
        return [root for root in self.roots if root.is_open]


def build_report(
    incident: Incident,
    rulebook: Rulebook,
    *,
    state: DeliveryState | None = None,
    log_state: DeliveryState | None = None,
    json_copy: Path | None = None,
    large_traces: Sequence[LargeTraceSize] = (),
    max_rows: int = UNLIMITED,
    max_neighbours: int = UNLIMITED,
    max_events: int = UNLIMITED,
    is_unfolded: bool = False,
) -> IncidentReport:
    """Return the report of an incident. Decodes its whole window.

    Findings and explanations are worked out anew: this version may know more than the one that
    wrote the incident.
    """
    evidence = rulebook.evidence(incident)
    findings = rulebook.findings(evidence)
    explanations = explain(evidence, is_unfolded=is_unfolded)
    timeline = build_timeline(
        evidence, findings, explanations, max_rows=max_rows, max_neighbours=max_neighbours
    )
    return IncidentReport(
        manifest=incident.manifest,
        path=incident.path,
        trigger=evidence.trigger,
        findings=findings,
        slow=slow_request(evidence),
        time_shares=shares_of(evidence.once(parts_of_slow)),
        timeline=timeline,
        explanations=explanations,
        other_events=find_other_events(evidence, explanations, timeline.start_ns, max_events),
        events=_events(evidence),
        roots=evidence.roots,
        first_start_ns=_first_start_ns(evidence),
        state=state,
        log_state=log_state,
        json_copy=json_copy,
        large_traces=large_traces,
    )


def _events(evidence: Evidence) -> list[WindowEvent]:
    events = [event for source in evidence.sources for event in evidence.events(source)]
    return sorted(events, key=lambda event: event.start_ns)


def _first_start_ns(evidence: Evidence) -> int:
    manifest = evidence.incident.manifest
    starts = [manifest.coverage.start_ns or manifest.opened_ns, manifest.opened_ns]
    starts += [root.start_ns for root in evidence.roots[:1]]
    starts += [span.start_ns for span in evidence.trace.spans[:1]]  # its root may be lost
    return min(starts)
