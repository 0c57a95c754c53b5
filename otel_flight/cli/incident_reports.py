"""The report of an incident that a command names, with the links that lead to it."""

from __future__ import annotations

from itertools import chain

import click

from otel_flight.assembly import ASSEMBLY
from otel_flight.cli.base import Invocation
from otel_flight.delivery.incident_trace.large_traces import large_traces
from otel_flight.delivery.incident_trace.span_index import SpanIndex
from otel_flight.delivery.otlp.derived_ids import derived_trace_id
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import examined
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.records.ids import trace_text
from otel_flight.report.model.backend_links import BackendLinks, Whereabouts, backend_links
from otel_flight.report.model.incident_report import IncidentReport, build_report
from otel_flight.report.model.incident_words import LargeTraceSize


def incident_of(invocation: Invocation, entry: SpoolEntry, process: int | None) -> Incident:
    """Return an incident, or the part of it that one of its processes has recorded.

    Args:
        invocation: knows where incidents are.
        entry: where it is.
        process: the process id; None is the first.
    """
    known = []
    incident = invocation.read(entry)
    for each in chain([incident], incident.others):
        pid = each.manifest.process.get("pid")
        if process in {None, pid}:
            return examined(each, ASSEMBLY.rulebook, Guard())
        known.append(str(pid))
    raise click.UsageError(f"it has no window of process {process}, but of {', '.join(known)}")


def report_of(
    invocation: Invocation,
    entry: SpoolEntry,
    incident: Incident,
    *,
    rows: int,
    requests: int,
    events: int,
    is_unfolded: bool = False,
) -> IncidentReport:
    """Return the report of an incident, with what became of it.

    Args:
        invocation: knows the spools.
        entry: where the incident is.
        incident: the incident.
        rows: the most spans of the trace.
        requests: the most other requests.
        events: the most kinds of other events.
        is_unfolded: stacks are shown with the functions of servers and frameworks.
    """
    is_spooled = entry.path.parent in invocation.spool_places.directories
    copy = invocation.spool().json_path(entry)
    return build_report(
        incident,
        ASSEMBLY.rulebook,
        state=entry.state if is_spooled else None,
        log_state=invocation.log_state(entry) if is_spooled else None,
        json_copy=copy if copy.exists() else None,
        large_traces=_large_traces(incident),
        max_rows=rows,
        max_neighbours=requests,
        max_events=events,
        is_unfolded=is_unfolded,
    )


def whole_report_of(invocation: Invocation, entry: SpoolEntry) -> IncidentReport:
    """Return the report of an incident to compare it by: its timeline is of no interest."""
    incident = incident_of(invocation, entry, None)
    return report_of(invocation, entry, incident, rows=0, requests=0, events=0)


def links_to(invocation: Invocation, report: IncidentReport) -> BackendLinks:
    """Return the links that lead to an incident in the backends that are set."""
    manifest = report.manifest
    trace_id = trace_text(derived_trace_id(manifest.incident_id))
    place = Whereabouts.of(manifest, trace_id, report.first_start_ns)
    settings = invocation.settings
    return backend_links(place, jaeger_url=settings.jaeger_url, grafana_url=settings.grafana_url)


def _large_traces(incident: Incident) -> list[LargeTraceSize]:
    return [
        LargeTraceSize(trace_text(each.trace_id), each.spans, each.bytes)
        for each in large_traces(SpanIndex(incident.window, lambda: None))
    ]
