"""`otel-flight export`: send incidents to a backend, or write them as OTLP-JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import IO, Final

import click
from opentelemetry.sdk.trace.export import SpanExporter

from otel_flight.cli.base import ExitCode, Invocation, directory_options, pass_invocation
from otel_flight.delivery.chunks import IncidentChunks
from otel_flight.delivery.export_attempt import attempt_export
from otel_flight.delivery.exporters import (
    build_exporter,
    build_json_exporter,
    destination,
    is_endpoint_configured,
)
from otel_flight.delivery.incident_delivery import IncidentDelivery
from otel_flight.delivery.pacing import Pacer
from otel_flight.errors import DeliveryFailed, FlightError
from otel_flight.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool import DeliveryState, SpoolEntry
from otel_flight.report.account import reservations
from otel_flight.report.wording import count

_GIVE_UP_AFTER: Final = 2
"""Failures in a row: each attempt at a backend that is down takes ten seconds."""


@click.command()
@click.argument("incidents", metavar="[ID]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="All incidents in the spool.")
@click.option("--endpoint", help="Where to, instead of the configured OTLP endpoint.")
@click.option(
    "--protocol", type=click.Choice(["grpc", "http/protobuf"]), help="How, instead of guessing."
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write OTLP-JSON lines to a file, or to stdout for `-`, and send nothing.",
)
@click.option("--again", is_flag=True, help="Also what this endpoint has already.")
@directory_options
@pass_invocation
def export(
    invocation: Invocation,
    *,
    incidents: Sequence[str],
    is_all: bool,
    endpoint: str | None,
    protocol: str | None,
    json_file: str | None,
    again: bool,
) -> int:
    """Send incidents to a backend, or write them as OTLP-JSON.

    The backend is the configured OTLP endpoint, unless --endpoint names another.

    ID is an incident's id or the beginning of it, `last`, or the path of a .flight file. What was
    delivered to this endpoint already is not sent again, because backends keep both copies.
    """
    if bool(incidents) == is_all:
        raise click.UsageError("give the ids of incidents, or --all")
    given = {"endpoint": endpoint, "protocol": protocol}
    invocation.overrides.update({name: value for name, value in given.items() if value})
    if json_file is None:
        invocation.overrides["export"] = "otlp"
    entries = (
        invocation.spool().entries()
        if is_all
        else [invocation.find_incident(name) for name in incidents]
    )
    if json_file is not None:
        return _write_json(entries, json_file)
    if not is_endpoint_configured(invocation.settings):
        raise click.UsageError(
            "no endpoint is configured: give --endpoint or --json, or set "
            "OTEL_EXPORTER_OTLP_ENDPOINT"
        )
    return _send(invocation, entries, again=again)


def _send(invocation: Invocation, entries: Sequence[SpoolEntry], *, again: bool) -> ExitCode:
    target = destination(invocation.settings).endpoint
    exporter = build_exporter(invocation.settings)
    failed = failed_in_a_row = 0
    try:
        for position, entry in enumerate(entries):
            state = DeliveryState() if again else entry.state
            if state.delivered and state.endpoint == target:
                click.echo(f"{entry.incident_id}: {target} has it already")
                continue
            try:
                _send_one(invocation, entry, state, exporter, target)
                failed_in_a_row = 0
            except (FlightError, OSError) as error:
                click.echo(f"otel-flight: {entry.incident_id}: {error}", err=True)
                failed += 1
                failed_in_a_row += 1
            left = len(entries) - position - 1
            if left and failed_in_a_row >= _GIVE_UP_AFTER:
                click.echo(f"otel-flight: {count(left, 'more incident')} not tried", err=True)
                break
    finally:
        exporter.shutdown()
    return ExitCode.NOT_DELIVERED if failed else ExitCode.OK


def _send_one(
    invocation: Invocation,
    entry: SpoolEntry,
    state: DeliveryState,
    exporter: SpanExporter,
    target: str,
) -> None:
    spool = invocation.spool(entry.path.parent)
    delivery = IncidentDelivery(spool, invocation.settings, Guard(), Pacer(1.0))
    with spool.claim(entry) as is_ours:
        if not is_ours:
            raise DeliveryFailed(target, "another process is delivering it just now")
        changed = SpoolEntry(entry.path, entry.incident_id, entry.bytes, entry.written_ns, state)
        with invocation.console.status(f"sending {entry.incident_id} to {target}"):
            delivery.send(changed, exporter, target)
    sent = f"{entry.incident_id}: {count(delivery.delivered_spans, 'span')} sent to {target}"
    click.echo(sent + reservations(delivery.state))


def _write_json(entries: Sequence[SpoolEntry], name: str) -> ExitCode:
    if name == "-":
        for entry in entries:
            _write_lines(entry, sys.stdout)
        return ExitCode.OK
    written = 0
    with Path(name).open("w", encoding="utf-8") as stream:
        for entry in entries:
            written += _write_lines(entry, stream)
    spans = f"{count(written, 'span')} of {count(len(entries), 'incident')}"
    click.echo(f"{spans} written to {name}")
    return ExitCode.OK


def _write_lines(entry: SpoolEntry, stream: IO[str]) -> int:
    """Write an incident; by way of a buffer, as the exporter tells nobody why a write failed."""
    buffer = StringIO()
    exporter = build_json_exporter(buffer)
    written = 0
    incident = read_incident(entry.path)
    for chunk in IncidentChunks(incident, Pacer(1.0), Guard(), is_standalone=True):
        if why := attempt_export(exporter, chunk).failure:
            raise DeliveryFailed("OTLP-JSON", why)
        stream.write(buffer.getvalue())
        buffer.seek(0)
        buffer.truncate()
        written += len(chunk)
    return written
