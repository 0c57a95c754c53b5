"""Writes incidents as OTLP-JSON lines: what stands alone, whatever was delivered before.

A file holds one kind of data: OTLP wants it so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import IO

import click

from otel_flight.delivery.cargo import Cargo
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import attempt_export
from otel_flight.errors import DeliveryFailed
from otel_flight.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool import SpoolEntry
from otel_flight.words import count


def write_json_lines(
    entries: Sequence[SpoolEntry], cargo: Cargo, name: str, *, is_stdout_taken: bool
) -> None:
    """Write one part of every incident to a file, or to stdout for `-`.

    Args:
        entries: the incidents.
        cargo: what of them.
        name: of the file; it is overwritten.
        is_stdout_taken: whether lines are written there: nothing else is said there then.

    Raises:
        DeliveryFailed: the exporter could not put a line together.
        MissingExtra: it is not installed.
        NotAnIncident: a file of the spool cannot be read.
        OSError: the file cannot be written.
    """
    if name == "-":
        for entry in entries:
            _write_lines(entry, cargo, sys.stdout)
        return
    written = 0
    with Path(name).open("w", encoding="utf-8") as stream:
        for entry in entries:
            written += _write_lines(entry, cargo, stream)
    items = f"{count(written, cargo.item)} of {count(len(entries), 'incident')}"
    click.echo(f"{items} written to {name}", err=is_stdout_taken)


def _write_lines(entry: SpoolEntry, cargo: Cargo, stream: IO[str]) -> int:
    """Write an incident; by way of a buffer, as the exporter tells nobody why a write failed."""
    buffer = StringIO()
    exporter = cargo.build_json_exporter(buffer)
    written = 0
    incident = read_incident(entry.path)
    for chunk in cargo.standalone_chunks(incident, Pacer(1.0), Guard()):
        if why := attempt_export(exporter, chunk).failure:
            raise DeliveryFailed("OTLP-JSON", why)
        stream.write(buffer.getvalue())
        buffer.seek(0)
        buffer.truncate()
        written += len(chunk)
    return written
