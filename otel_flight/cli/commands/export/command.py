"""The command: which incidents, where to, and in which form."""

from __future__ import annotations

from collections.abc import Sequence

import click

from otel_flight.cli.base import ExitCode, Invocation, directory_options, pass_invocation
from otel_flight.cli.commands.export.files import write_file
from otel_flight.cli.commands.export.json_files import write_json_file
from otel_flight.cli.commands.export.sending import send_incidents
from otel_flight.delivery.receiver.exporters import destination, is_endpoint_configured
from otel_flight.delivery.receiver.signals import LOGS, SPANS


@click.command()
@click.argument("incidents", metavar="[ID]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="All incidents in the spool.")
@click.option("--endpoint", help="Where to, instead of the configured OTLP endpoint.")
@click.option("--logs-endpoint", help="Where log records go, instead of OTEL_FLIGHT_LOGS_ENDPOINT.")
@click.option(
    "--protocol", type=click.Choice(["grpc", "http/protobuf"]), help="How, instead of guessing."
)
@click.option(
    "--otlp-json",
    "--json",
    "json_file",
    metavar="FILE",
    help="Write spans as OTLP-JSON lines to a file, or to stdout for `-`, and send nothing.",
)
@click.option(
    "--json-logs",
    "json_logs_file",
    metavar="FILE",
    help="The same of log records, which have to be in a file of their own.",
)
@click.option("--perfetto", metavar="FILE", help="Write one incident as a trace for Perfetto.")
@click.option("--speedscope", metavar="FILE", help="Write its stack samples for speedscope.")
@click.option("--collapsed", metavar="FILE", help="Write its stack samples as collapsed stacks.")
@click.option("--otlp-profiles", metavar="FILE", help="Write its stack samples as OTLP profiles.")
@click.option("--again", is_flag=True, help="Also what this endpoint has already.")
@directory_options
@pass_invocation
def export(
    invocation: Invocation,
    *,
    incidents: Sequence[str],
    is_all: bool,
    endpoint: str | None,
    logs_endpoint: str | None,
    protocol: str | None,
    json_file: str | None,
    json_logs_file: str | None,
    perfetto: str | None,
    speedscope: str | None,
    collapsed: str | None,
    otlp_profiles: str | None,
    again: bool,
) -> int:
    """Send incidents to a backend, or write them to files.

    The backend is the configured OTLP endpoint, unless --endpoint names another. Log records are
    sent besides, as OTLP logs, where an endpoint for them is configured or named.

    ID is an incident's id or the beginning of it, `last`, or the path of a .flight file; a dead
    process's ring can be written to files. What was delivered to this endpoint already is not sent
    again, because backends keep both copies.
    """
    if bool(incidents) == is_all:
        raise click.UsageError("give the ids of incidents, or --all")
    forms = {
        "perfetto": perfetto,
        "speedscope": speedscope,
        "collapsed": collapsed,
        "otlp_profiles": otlp_profiles,
    }
    written = {form: name for form, name in forms.items() if name is not None}
    if [*written.values(), json_file, json_logs_file].count("-") > 1:
        raise click.UsageError("only one of these can be written to stdout")
    given = {"endpoint": endpoint, "logs_endpoint": logs_endpoint, "protocol": protocol}
    invocation.overrides.update({name: value for name, value in given.items() if value})
    files = {SPANS: json_file, LOGS: json_logs_file}
    named = {signal: name for signal, name in files.items() if name is not None}
    if not named and not written:
        invocation.overrides["export"] = "otlp"
    entries = (
        [entry for entry in invocation.entries() if not entry.is_damaged]
        if is_all
        else [invocation.find_incident(name) for name in incidents]
    )
    is_stdout_taken = "-" in {*named.values(), *written.values()}
    if written:
        if len(entries) != 1:
            option = next(iter(written)).replace("_", "-")
            raise click.UsageError(f"a file of --{option} holds one incident: name it")
        for form, name in written.items():
            write_file(invocation, entries[0], form, name, is_stdout_taken=is_stdout_taken)
    if named:
        return max(
            write_json_file(invocation, entries, signal, name, is_stdout_taken=is_stdout_taken)
            for signal, name in named.items()
        )
    if written:
        return ExitCode.OK
    if not is_endpoint_configured(invocation.settings):
        raise click.UsageError(
            "no endpoint is configured: give --endpoint or --json, or set "
            "OTEL_EXPORTER_OTLP_ENDPOINT"
        )
    sent = [each for each in (SPANS, LOGS) if destination(each, invocation.settings).kind == "otlp"]
    # In this order, as a service does it: what fails of the one does not hold up the other.
    codes = [send_incidents(invocation, entries, signal, again=again) for signal in sent]
    return max(codes)
