"""Sends incidents by hand, the way a service delivers them, and says what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import click

from otel_flight.cli.base import ExitCode, Invocation
from otel_flight.cli.left_behind import is_left_behind
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import Exporter
from otel_flight.delivery.receiver.exporters import build_exporter, destination
from otel_flight.delivery.receiver.signals import LOGS, SPANS, Signal
from otel_flight.delivery.sender import Sender, chunks_to_send, is_sent_by_pipeline
from otel_flight.errors import DeliveryFailed, FlightError, NotAnIncident
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import LOGS_STATE_SUFFIX, SpoolEntry
from otel_flight.report.model.incident_words import reservations
from otel_flight.words import count

_GIVE_UP_AFTER: Final = 2
"""After this many failures in a row, no more incidents are tried: each attempt at a backend that is
down takes ten seconds."""


def send_incidents(
    invocation: Invocation, entries: Sequence[SpoolEntry], signal: Signal, *, again: bool
) -> ExitCode:
    """Send one signal of every incident, and print a line for each.

    Args:
        invocation: has the settings that say where to.
        entries: the incidents.
        signal: what of them.
        again: also what is there already.

    Returns:
        Whether all of it arrived, as an exit code.
    """
    if any(map(is_left_behind, entries)):
        raise click.ClickException("a dead process's ring is not sent: `otel-flight recover` first")
    target = destination(signal, invocation.settings).endpoint
    exporter = build_exporter(signal, invocation.settings)
    failed = failed_in_a_row = 0
    try:
        for position, entry in enumerate(entries):
            try:
                _send_one(invocation, entry, signal, exporter, target, again=again)
                failed_in_a_row = 0
            except (FlightError, OSError) as error:
                what = f"{entry.incident_id}: {_whose(signal)}{error}"
                click.echo(f"otel-flight: {what}", err=True)
                failed += 1
                failed_in_a_row += not isinstance(error, NotAnIncident)
            left = len(entries) - position - 1
            if left and failed_in_a_row >= _GIVE_UP_AFTER:
                what = f"{_whose(signal)}{count(left, 'more incident')} not tried"
                click.echo(f"otel-flight: {what}", err=True)
                break
    finally:
        exporter.shutdown()
    return ExitCode.NOT_DELIVERED if failed else ExitCode.OK


def _send_one(
    invocation: Invocation,
    entry: SpoolEntry,
    signal: Signal,
    exporter: Exporter,
    target: str,
    *,
    again: bool,
) -> None:
    spool = invocation.spool(entry.path.parent)
    if signal is LOGS:
        spool = spool.of(LOGS_STATE_SUFFIX)
    state = DeliveryState() if again else spool.state_of(entry)
    if state.delivered and state.endpoint == target:
        it = "it" if signal is SPANS else f"its {signal.item}s"
        click.echo(f"{entry.incident_id}: {target} has {it} already")
        return
    with spool.claim(entry) as is_ours:
        if not is_ours:
            raise DeliveryFailed(target, "another process is delivering it just now")
        with invocation.console.status(f"sending {entry.incident_id} to {target}"):
            incident = read_incident(entry.path)
            skips = is_sent_by_pipeline(incident, invocation.settings, state, target)
            entry = replace(entry, state=state)
            sender = Sender(spool, entry, exporter, target, skips_sampled=skips)
            chunks = chunks_to_send(signal, incident, Pacer(1.0), Guard(), skips_sampled=skips)
            sender.send(chunks)
    sent = f"{entry.incident_id}: {count(sender.delivered_spans, signal.item)} sent to {target}"
    click.echo(sent + reservations(sender.state, signal.item))


def _whose(signal: Signal) -> str:
    """Return what a line begins with that is not about the incident as a whole."""
    return "" if signal is SPANS else f"{signal.item}s: "
