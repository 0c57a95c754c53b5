"""`otel-flight show`: one incident, for whoever is on call."""

from __future__ import annotations

import webbrowser
from itertools import chain
from pathlib import Path
from typing import Final

import click
import msgspec

from otel_flight.assembly import ASSEMBLY
from otel_flight.cli.base import (
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.delivery.incident_trace.large_traces import large_traces
from otel_flight.delivery.incident_trace.span_index import SpanIndex
from otel_flight.delivery.otlp.derived_ids import derived_trace_id
from otel_flight.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import examined
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.window import WindowEvent
from otel_flight.own_files import whole_file
from otel_flight.records.ids import span_text, trace_text
from otel_flight.report.html.page import html_page
from otel_flight.report.markdown.markdown import USUAL_TOKENS, markdown
from otel_flight.report.model.backend_links import BackendLinks, Whereabouts, backend_links
from otel_flight.report.model.incident_report import IncidentReport, build_report
from otel_flight.report.model.incident_words import LargeTraceSize
from otel_flight.report.model.timeline import UNLIMITED
from otel_flight.report.terminal.page import Page
from otel_flight.report.terminal.terminal import print_report

_JSON_VERSION: Final = 1
"""The version of what `--json` prints: the next one when something is taken out or changed."""


@click.command()
@click.argument("incident", metavar="ID")
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=40,
    show_default=True,
    help="The most spans of the trace to show.",
)
@click.option(
    "--requests",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="The most other requests to show.",
)
@click.option(
    "--events",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="The most kinds of other events to show.",
)
@click.option(
    "--process", type=int, metavar="PID", help="Show the window of this process of the service."
)
@click.option("--all", "is_all", is_flag=True, help="Show every span, request and kind of event.")
@click.option("--jaeger-url", metavar="URL", help="Print links to the Jaeger there.")
@click.option(
    "--grafana-url",
    metavar="URL",
    help="Print links to the Grafana there; ?datasource= names its Tempo data source.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
    help="markdown: for a ticket, a chat, or an assistant; json: all there is, for scripts.",
)
@click.option(
    "--tokens",
    type=click.IntRange(min=200),
    default=USUAL_TOKENS,
    show_default=True,
    help="How long Markdown may be; the most important is kept.",
)
@click.option(
    "--html",
    "page",
    metavar="[FILE]",
    is_flag=False,
    flag_value="",
    help="Write a page for the browser that needs nothing else; - is the standard output.",
)
@click.option("--open", "is_opened", is_flag=True, help="Write the page, and open it.")
@json_option
@directory_options
@pass_invocation
def show(
    invocation: Invocation,
    *,
    incident: str,
    rows: int,
    requests: int,
    events: int,
    process: int | None,
    is_all: bool,
    jaeger_url: str | None,
    grafana_url: str | None,
    form: str,
    tokens: int,
    page: str | None,
    is_opened: bool,
    as_json: bool,
) -> None:
    """Show an incident: cause, findings, timeline, events, losses.

    ID is an incident's id or the beginning of it, `last`, or the path of a .flight file.
    """
    as_json |= form == "json"
    given = {"jaeger_url": jaeger_url, "grafana_url": grafana_url}
    invocation.overrides.update({name: url for name, url in given.items() if url})
    entry = invocation.find_incident(incident)
    is_spooled = entry.path.parent in invocation.spool_places.directories
    copy = invocation.spool().json_path(entry)
    found = _window_of(read_incident(entry.path), process)
    found = examined(found, ASSEMBLY.rulebook, Guard())
    report = build_report(
        found,
        ASSEMBLY.rulebook,
        state=entry.state if is_spooled else None,
        log_state=invocation.log_state(entry) if is_spooled else None,
        json_copy=copy if copy.exists() else None,
        large_traces=_large_traces(found),
        max_rows=UNLIMITED if is_all or as_json else rows,
        max_neighbours=UNLIMITED if is_all or as_json else requests,
        max_events=UNLIMITED if is_all or as_json else events,
    )
    links = _links(invocation, report)
    if page is not None or is_opened:
        _write_page(html_page(report, found, links), page or f"{entry.path.stem}.html", is_opened)
    elif as_json:
        print_json(_as_json(entry, report, links))
    elif form == "markdown":
        click.echo(markdown(report, links, tokens), nl=False)
    else:
        print_report(report, Page(invocation.console), links)


def _write_page(page: bytes, file: str, is_opened: bool) -> None:
    """Write a page where only its owner can read it, as the incident is, and say where that is."""
    if file == "-" and not is_opened:
        click.echo(page, nl=False)
        return
    path = Path(file).absolute()
    with whole_file(path) as stream:
        stream.write(page)
    click.echo(path)
    if is_opened and not webbrowser.open(path.as_uri()):
        raise click.ClickException(f"no browser can be started here: open {path}")


def _window_of(incident: Incident, process: int | None) -> Incident:
    """Return the part of an incident that one of its processes has recorded; None: the first."""
    known = []
    for each in chain([incident], incident.others):
        pid = each.manifest.process.get("pid")
        if process in {None, pid}:
            return each
        known.append(str(pid))
    raise click.UsageError(f"it has no window of process {process}, but of {', '.join(known)}")


def _large_traces(incident: Incident) -> list[LargeTraceSize]:
    return [
        LargeTraceSize(trace_text(each.trace_id), each.spans, each.bytes)
        for each in large_traces(SpanIndex(incident.window, lambda: None))
    ]


def _links(invocation: Invocation, report: IncidentReport) -> BackendLinks:
    manifest = report.manifest
    trigger = manifest.trigger
    place = Whereabouts(
        service=manifest.service_name,
        incident_id=manifest.incident_id,
        incident_trace_id=trace_text(derived_trace_id(manifest.incident_id)),
        trigger_trace_id=trigger.trace_id if trigger else "",
        trigger_span_id=trigger.span_id if trigger else "",
        start_ns=report.first_start_ns,
        end_ns=manifest.closed_ns,
    )
    settings = invocation.settings
    return backend_links(place, jaeger_url=settings.jaeger_url, grafana_url=settings.grafana_url)


def _as_json(entry: SpoolEntry, report: IncidentReport, links: BackendLinks) -> dict[str, object]:
    return {
        "version": _JSON_VERSION,
        "id": entry.incident_id,
        "path": str(entry.path),
        "manifest": report.manifest,
        "findings": list(report.findings),
        "time": [share._asdict() for share in report.time_shares],
        "explanations": list(report.explanations),
        "timeline": report.timeline,
        "events": [_event_as_json(event) for event in report.events],
        "open_requests": [
            {
                **msgspec.structs.asdict(root),
                "trace_id": trace_text(root.trace_id),
                "span_id": span_text(root.span_id),
            }
            for root in report.open_roots
        ],
        "delivery": report.state,
        "log_delivery": report.log_state,
        "large_traces": list(report.large_traces),
        "links": links,
        "otlp_json": str(report.json_copy) if report.json_copy is not None else None,
    }


def _event_as_json(event: WindowEvent) -> dict[str, object]:
    record = event.record
    return {
        "source": record.source,
        "name": record.name,
        "start_ns": record.start_ns,
        "end_ns": record.end_ns,
        "thread_id": record.thread_id,
        "trace_id": trace_text(record.trace_id),
        "span_id": span_text(record.span_id),
        "attributes": record.attributes,
        "stack": [
            {"function": frame.function, "file": frame.file, "line": frame.line}
            for frame in event.frames
        ],
    }
