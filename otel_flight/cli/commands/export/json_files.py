"""Writes incidents to files of OTLP-JSON lines: what stands alone, whatever was delivered before.

A file holds one signal: OTLP wants it so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click

from otel_flight.delivery.json_lines import json_lines
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.signals import Signal
from otel_flight.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool import SpoolEntry
from otel_flight.words import count


def write_json_file(
    entries: Sequence[SpoolEntry], signal: Signal, name: str, *, is_stdout_taken: bool
) -> None:
    """Write one signal of every incident to a file, or to stdout for `-`.

    Args:
        entries: the incidents.
        signal: what of them.
        name: of the file; it is overwritten.
        is_stdout_taken: whether lines are written there: nothing else is said there then.

    Raises:
        DeliveryFailed: the exporter could not put a line together.
        MissingExtra: it is not installed.
        NotAnIncident: a file of the spool cannot be read.
        OSError: the file cannot be written.
    """
    if name == "-":
        _write(entries, signal, sys.stdout)
        return
    with Path(name).open("w", encoding="utf-8") as stream:
        written = _write(entries, signal, stream)
    items = f"{count(written, signal.item)} of {count(len(entries), 'incident')}"
    click.echo(f"{items} written to {name}", err=is_stdout_taken)


def _write(entries: Sequence[SpoolEntry], signal: Signal, stream: IO[str]) -> int:
    written = 0
    for entry in entries:
        for line in json_lines(signal, read_incident(entry.path), Pacer(1.0), Guard()):
            stream.write(line.text)
            written += line.items
    return written
