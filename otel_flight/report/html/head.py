"""What the page says of an incident before anything of the window is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_flight.incidents.manifest import Cause, Finding, Manifest
from otel_flight.names import event_names
from otel_flight.names import evidence as keys
from otel_flight.report.model.backend_links import BackendLinks
from otel_flight.report.model.incident_report import IncidentReport
from otel_flight.report.model.incident_words import (
    cause_words,
    coverage_words,
    delivery_words,
    evidence_words,
    large_trace_words,
    log_delivery_words,
    loss_words,
    other_processes_words,
    refused_words,
)
from otel_flight.words import count, moment, one_line, size

_OF_SPANS: Final = (keys.SPAN_ID, keys.CANCELLED_SPAN_ID, keys.ROOT_SPAN_ID)
_OF_TRACES: Final = (keys.TRACE_ID, keys.HOLDER_TRACE_ID)
_EVENTS: Final[Mapping[str, str]] = {
    keys.LOCK: event_names.WAITING,
    keys.POOL: event_names.WAITING,
    keys.STALLS: event_names.LOOP_BLOCKED,
    keys.HOLDS: event_names.GIL_HELD,
    keys.COLLECTIONS: event_names.GC_PAUSE,
    keys.THROTTLED_NS: event_names.CPU_THROTTLED,
    keys.DESCHEDULED_NS: event_names.DESCHEDULED,
    keys.ENDED: event_names.UNHANDLED_EXCEPTION,
}
"""A finding whose evidence has such a key has events of this name to show."""
_LONGEST: Final = 1000
"""A text is cut at this many characters: a cause's, say."""


def head(report: IncidentReport, links: BackendLinks, markdown: str) -> dict[str, Any]:
    """Return cause, findings, the parts of the time, and what is missing.

    Args:
        report: of the incident.
        links: that lead to it in a backend.
        markdown: the same as text, for whoever copies it.
    """
    manifest = report.manifest
    trigger = manifest.trigger
    return {
        "id": manifest.incident_id,
        "title": one_line(manifest.title, _LONGEST),
        "service": manifest.service_name,
        "where": _where(manifest),
        "opened": moment(manifest.opened_ns),
        "opened_seconds": manifest.opened_ns // 1_000_000_000,
        "opened_rest_ns": manifest.opened_ns % 1_000_000_000,
        "fired": manifest.fired_ns - manifest.opened_ns,
        "trigger": [trigger.trace_id, trigger.span_id] if trigger else ["", ""],
        "causes": [_cause(each, manifest) for each in manifest.causes],
        "refused": refused_words(manifest.refused) if manifest.refused.firings else "",
        "findings": [_finding(each) for each in report.findings],
        "time": _time(report),
        "missing": _missing(report),
        "facts": _facts(report),
        "resource": {name: str(value)[:_LONGEST] for name, value in manifest.resource.items()},
        "process": {name: str(value)[:_LONGEST] for name, value in manifest.process.items()},
        "links": _links(links),
        "markdown": markdown,
    }


def _where(manifest: Manifest) -> str:
    words = [
        f"{name} {manifest.process[name]}" for name in ("host", "pid") if name in manifest.process
    ]
    words += [other_processes_words(manifest.processes)] if manifest.processes else []
    return one_line(", ".join(words), _LONGEST)


def _cause(cause: Cause, manifest: Manifest) -> dict[str, Any]:
    return {
        "reason": one_line(cause.reason, _LONGEST),
        "subject": one_line(cause.subject, _LONGEST),
        "origin": one_line(cause.origin, _LONGEST),
        "words": cause_words(cause),
        "trace": cause.trace_id,
        "span": cause.span_id,
        "time": cause.time_ns - manifest.opened_ns if cause.time_ns else 0,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    evidence = finding.evidence
    return {
        "rule": finding.rule.replace("_", " "),
        "summary": one_line(finding.summary, _LONGEST),
        "share": finding.explained_share,
        "spans": _ids(evidence, _OF_SPANS),
        "traces": _ids(evidence, _OF_TRACES),
        "events": sorted({name for key, name in _EVENTS.items() if key in evidence}),
        "evidence": {name: evidence_words(name, value) for name, value in evidence.items()},
    }


def _ids(evidence: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    return [str(evidence[name]) for name in names if evidence.get(name)]


def _time(report: IncidentReport) -> dict[str, Any] | None:
    if report.slow is None or not report.time_shares:
        return None
    return {
        "of": one_line(report.slow.name, _LONGEST),
        "length": report.slow.duration_ns,
        "shares": [each._asdict() for each in report.time_shares],
    }


def _missing(report: IncidentReport) -> list[str]:
    manifest = report.manifest
    words = [f"covered: {coverage_words(manifest)}", *loss_words(manifest.losses)]
    return words if len(words) > 1 else [*words, "nothing was lost"]


def _facts(report: IncidentReport) -> list[tuple[str, str]]:
    manifest = report.manifest
    facts = [("recorded", f"{count(manifest.spans, 'span')} in {size(manifest.window_bytes)}")]
    if manifest.open_spans:
        facts.append(("still open", count(manifest.open_spans, "span")))
    if report.state is not None:
        facts.append(("delivery", delivery_words(report.state)))
        facts.append(("logs", log_delivery_words(report.log_state)))
    facts += [("large", each) for each in large_trace_words(report.large_traces)]
    facts += [("file", report.path.name)] if report.path is not None else []
    return facts


def _links(links: BackendLinks) -> list[tuple[str, str, str]]:
    groups = (("Jaeger", links.jaeger), ("Grafana", links.grafana))
    return [(backend, what, url) for backend, urls in groups for what, url in urls.items()]
