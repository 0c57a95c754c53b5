"""An incident for the terminal of whoever is on call: cause, findings, timeline, what is missing.

Colour is for terminals only, and nothing is said by colour alone. Names and messages come from
requests, so whatever a terminal would obey is taken out of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.text import Text

from otel_flight.incidents.manifest import Cause
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.report.model.backend_links import BackendLinks
from otel_flight.report.model.incident_report import IncidentReport
from otel_flight.report.model.incident_words import (
    cause_words,
    coverage_words,
    delivery_words,
    is_whole,
    large_trace_words,
    log_delivery_words,
    loss_words,
    other_processes_words,
    refused_words,
)
from otel_flight.report.model.timeline import Timeline
from otel_flight.report.terminal.bars import TimelineBars
from otel_flight.report.terminal.other_events import print_other_events
from otel_flight.report.terminal.page import Page, with_names
from otel_flight.report.terminal.time_shares import print_time_shares
from otel_flight.words import count, moment, one_line, short_duration, size

_MOST_CAUSES: Final = 5
_MOST_OPEN: Final = 5


def print_report(report: IncidentReport, page: Page, links: BackendLinks | None = None) -> None:
    """Print the report of an incident, and the links that lead to it in a backend."""
    _print_head(report, page)
    _print_findings(report, page)
    if report.slow is not None:
        print_time_shares(report.slow, report.time_shares, page)
    _print_timeline(report, page)
    print_other_events(report.other_events, page)
    if report.manifest.open_spans:
        _print_still_open(report, page)
    _print_window_and_delivery(report, page)
    if links is not None and (links.jaeger or links.grafana):
        _print_links(links, page)


def _print_head(report: IncidentReport, page: Page) -> None:
    manifest = report.manifest
    title = Text(f"Incident {manifest.incident_id}", style="bold")
    title.append(f"  {moment(manifest.opened_ns)}", style="not bold dim")
    page.paragraph(title)
    where = [manifest.service_name or "a service without a name"]
    where += [
        f"{word} {manifest.process[key]}" for word, key in _WHERE if manifest.process.get(key)
    ]
    page.paragraph(one_line(", ".join(where), 300))
    if manifest.processes:
        page.paragraph(Text(other_processes_words(manifest.processes), style="dim"))
    page.line()
    if not manifest.causes:
        page.paragraph(Text("A snapshot: nothing fired.", style="bold"))
    for cause in manifest.causes[:_MOST_CAUSES]:
        _print_cause(cause, page, is_first=cause is manifest.causes[0])
    if (more := len(manifest.causes) - _MOST_CAUSES) > 0:
        page.line(Text(f"… and {count(more, 'more cause')}", style="dim"))
    if manifest.refused.firings:
        page.paragraph(Text(refused_words(manifest.refused), style="dim"))


_WHERE: Final = (("on", "host"), ("pid", "pid"))


def _print_cause(cause: Cause, page: Page, *, is_first: bool) -> None:
    text = Text()
    text.append(one_line(cause.reason, 200), style="bold red" if is_first else "red")
    if cause.subject:
        text.append(f"  {one_line(cause.subject, 200)}", style="bold" if is_first else "")
    if cause.origin:
        text.append(f"  in {one_line(cause.origin, 200)}")
    page.paragraph(text, "" if is_first else "then  ")
    for words in cause_words(cause):
        page.paragraph(words, "  " if is_first else "        ")


def _print_findings(report: IncidentReport, page: Page) -> None:
    page.section("Findings")
    if not report.findings:
        page.paragraph("None: no rule recognises what happened. The timeline is what there is.")
    for number, finding in enumerate(report.findings, 1):
        page.paragraph(with_names(finding.summary), Text(f"[{number}] ", style="bold yellow"))


def _print_timeline(report: IncidentReport, page: Page) -> None:
    timeline, causes = report.timeline, report.manifest.causes
    bars = TimelineBars(timeline, page.width, is_ascii=page.is_ascii)
    if timeline.rows:
        page.section(f"Trace {timeline.trace_id}: {_contents(timeline)}")
        for line in bars.trace_lines():
            page.line(line)
    elif causes and causes[0].trace_id:
        page.section(f"Trace {causes[0].trace_id}")
        page.paragraph("The span that fired is not in the window.")
    if not timeline.neighbours_total:
        return
    if timeline.rows:
        page.section(f"Meanwhile: {count(timeline.neighbours_total, 'other request')}")
    else:
        length = short_duration(timeline.length_ns)
        page.section(f"Requests within {length}: {timeline.neighbours_total}")
    for line in bars.neighbour_lines():
        page.line(line)
    if left_out := bars.left_out():
        page.paragraph(Text(left_out, style="dim"))


def _contents(timeline: Timeline) -> str:
    words = [count(timeline.spans, "span")]
    words += [count(timeline.pauses, "pause")] if timeline.pauses else []
    words += [f"{timeline.inferred} inferred"] if timeline.inferred else []
    return ", ".join(words)


def _print_still_open(report: IncidentReport, page: Page) -> None:
    page.section("Still open when the incident closed")
    roots = report.open_roots
    words = count(report.manifest.open_spans, "span")
    page.paragraph(f"{words} in {count(len(roots), 'request')}:" if roots else words)
    for root in roots[:_MOST_OPEN]:
        name = Text(one_line(root.name, 100), style="cyan")
        since = short_duration(report.manifest.closed_ns - root.start_ns)
        page.paragraph(Text.assemble(name, f" for {since}"), "  ")
    if (more := len(roots) - _MOST_OPEN) > 0:
        page.line(Text(f"  … {more} more, younger than these", style="dim"))


def _print_window_and_delivery(report: IncidentReport, page: Page) -> None:
    manifest = report.manifest
    page.section("Window and delivery")
    lost = loss_words(manifest.losses)
    recorded = f"{count(manifest.spans, 'span')} in {size(manifest.window_bytes)}"
    facts: list[tuple[str, Text | str | Path]] = [
        ("covered", coverage_words(manifest)),
        ("recorded", recorded),
        ("lost", Text("\n".join(lost), style="yellow") if lost else "nothing"),
    ]
    if report.state is not None:
        style = "green" if is_whole(report.state) else "yellow"
        facts.append(("delivery", Text(delivery_words(report.state), style=style)))
        facts.append(("logs", _log_delivery(report.log_state)))
    if large := large_trace_words(report.large_traces):
        facts.append(("large", Text("\n".join(large), style="yellow")))
    if report.json_copy is not None:
        facts.append(("OTLP-JSON", report.json_copy))
    if report.path is not None:
        facts.append(("file", report.path))
    page.facts(facts)


def _log_delivery(state: DeliveryState | None) -> Text:
    style = "" if state is None else "green" if is_whole(state) else "yellow"
    return Text(log_delivery_words(state), style=style)


def _print_links(links: BackendLinks, page: Page) -> None:
    """Print the links, and the queries where Tempo is; whole, as they are to be copied."""
    page.section("In the backend")
    groups = [("Jaeger", links.jaeger), ("Grafana", links.grafana)]
    if links.grafana:
        groups.append(("TraceQL", links.traceql))
    for name, group in groups:
        for number, (what, link) in enumerate(group.items()):
            lead = Text(f"{'' if number else name:<7}  {what:<8}  ", style="dim")
            page.verbatim(Text.assemble(lead, (link, "not dim")))
