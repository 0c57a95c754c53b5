"""`otel-flight list`: what is in the spool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.text import Text

from otel_flight.cli.base import (
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.cli.left_behind import is_left_behind
from otel_flight.errors import NotAnIncident
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.report.model.incident_words import is_whole, short_delivery_words
from otel_flight.report.terminal.page import Page
from otel_flight.words import count, one_line


@click.command("list")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@json_option
@directory_options
@pass_invocation
def list_incidents(invocation: Invocation, limit: int | None, as_json: bool) -> None:
    """List the incidents in the spool, newest first, and say what is wrong with it."""
    entries = invocation.all_entries()[::-1][:limit]
    invocation.warn(invocation.spool_places.problems)
    invocation.warn(_dead_words(entries))
    found = [
        (entry, _manifest(invocation, entry), invocation.log_state(entry)) for entry in entries
    ]
    if as_json:
        print_json([_as_json(*each) for each in found])
        return
    if not found:
        click.echo(f"no incidents in {invocation.spool_directory}")
        return
    Page(invocation.console).table(
        ("id", "what", "service", "spans", "delivery"),
        [_row(*each) for each in found],
        flexible=1,
    )
    elsewhere = Counter(each.path.parent for each in entries if not is_left_behind(each))
    for directory, entries_there in elsewhere.items():
        if len(elsewhere) > 1:
            click.echo(f"{count(entries_there, 'incident')} in {directory}")


def _dead_words(entries: Sequence[SpoolEntry]) -> Iterator[str]:
    dead = len({entry.path for entry in entries if is_left_behind(entry)})
    if dead:
        yield (
            f"{count(dead, 'process', 'processes')} died, and nobody has recovered what is left of "
            f"{'it' if dead == 1 else 'them'}: see `otel-flight recover`"
        )


def _manifest(invocation: Invocation, entry: SpoolEntry) -> Manifest | NotAnIncident:
    try:
        return invocation.manifest(entry)
    except NotAnIncident as error:
        return error


def _row(
    entry: SpoolEntry, manifest: Manifest | NotAnIncident, log_state: DeliveryState | None
) -> list[Text | str]:
    if isinstance(manifest, NotAnIncident):
        what = Text(f"unreadable: {one_line(manifest.why, 60)}", style="red")
        return [entry.incident_id, what, "", "", _set_aside(entry)]
    is_left = is_left_behind(entry)
    return [
        Text(entry.incident_id, style="bold"),
        one_line(manifest.title, 120) + _processes(manifest) + _refused(manifest),
        one_line(manifest.service_name, 40),
        "–" if manifest.is_unexamined else str(manifest.spans),
        "not recovered" if is_left else _deliveries(entry.state, log_state),
    ]


def _processes(manifest: Manifest) -> str:
    others = len(manifest.processes)
    return f" ({others + 1} processes)" if others else ""


def _refused(manifest: Manifest) -> str:
    firings = manifest.refused.firings
    return f" ({firings:,} refused before)" if firings else ""


def _set_aside(entry: SpoolEntry) -> Text:
    return Text("set aside" if entry.is_damaged else "", style="red")


def _deliveries(state: DeliveryState, log_state: DeliveryState | None) -> Text:
    """Return how the delivery stands, and that of the log records where there is one."""
    if log_state is None:
        return _delivery(state, "span")
    return Text.assemble(_delivery(state, "span"), ", logs ", _delivery(log_state, "log record"))


def _delivery(state: DeliveryState, item: str) -> Text:
    words = short_delivery_words(state, item)
    return Text(words, style="green" if is_whole(state) and not state.last_error else "yellow")


def _as_json(
    entry: SpoolEntry, manifest: Manifest | NotAnIncident, log_state: DeliveryState | None
) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": entry.incident_id,
        "path": str(entry.path),
        "bytes": entry.bytes,
        "is_damaged": entry.is_damaged,
        "is_recovered": not is_left_behind(entry),
        "delivery": entry.state,
        "log_delivery": log_state,
    }
    if isinstance(manifest, NotAnIncident):
        return {**known, "error": str(manifest)}
    return {
        **known,
        "title": manifest.title,
        "service": manifest.service_name,
        "opened_ns": manifest.opened_ns,
        "spans": manifest.spans,
        "processes": [manifest.process.get("pid"), *(each.pid for each in manifest.processes)],
        "refused": manifest.refused,
        "findings": [finding.summary for finding in manifest.findings],
    }
