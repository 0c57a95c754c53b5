"""`otel-flight show`: one incident, for whoever is on call."""

from __future__ import annotations

import click

from otel_flight.cli.base import (
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool import SpoolEntry
from otel_flight.report.incident_report import IncidentReport, build_report
from otel_flight.report.terminal import print_report
from otel_flight.report.timeline import UNLIMITED


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
@click.option("--all", "is_all", is_flag=True, help="Show every span and every other request.")
@json_option
@directory_options
@pass_invocation
def show(
    invocation: Invocation, *, incident: str, rows: int, requests: int, is_all: bool, as_json: bool
) -> None:
    """Show an incident: cause, findings, timeline, losses.

    ID is an incident's id or the beginning of it, `last`, or the path of a .flight file.
    """
    entry = invocation.find_incident(incident)
    is_spooled = entry.path.parent == invocation.spool_directory
    copy = invocation.spool().json_path(entry)
    report = build_report(
        read_incident(entry.path),
        state=entry.state if is_spooled else None,
        json_copy=copy if copy.exists() else None,
        max_rows=UNLIMITED if is_all or as_json else rows,
        max_neighbours=UNLIMITED if is_all or as_json else requests,
    )
    if as_json:
        print_json(_as_json(entry, report))
    else:
        print_report(report, invocation.console)


def _as_json(entry: SpoolEntry, report: IncidentReport) -> dict[str, object]:
    return {
        "id": entry.incident_id,
        "path": str(entry.path),
        "manifest": report.manifest,
        "findings": list(report.findings),
        "timeline": report.timeline,
        "open_requests": [
            {
                **root._asdict(),
                "trace_id": f"{root.trace_id:032x}",
                "span_id": f"{root.span_id:016x}",
            }
            for root in report.open_roots
        ],
        "delivery": report.state,
        "otlp_json": str(report.json_copy) if report.json_copy is not None else None,
    }
