"""Writes incidents to files of OTLP-JSON lines: what stands alone, whatever was delivered before.

A file holds one signal: OTLP wants it so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click

from otel_flight.cli.base import ExitCode, Invocation
from otel_flight.delivery.json_lines import json_lines
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.signals import Signal
from otel_flight.errors import NotAnIncident
from otel_flight.ground.guard import Guard
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.words import count


def write_json_file(
    invocation: Invocation,
    entries: Sequence[SpoolEntry],
    signal: Signal,
    name: str,
    *,
    is_stdout_taken: bool,
) -> ExitCode:
    """Write one signal of every incident to a file, or to stdout for `-`.

    Says on stderr which ones cannot be read, and goes on with the others.

    Args:
        invocation: knows where they are.
        entries: the incidents.
        signal: what of them.
        name: of the file; it is overwritten.
        is_stdout_taken: whether lines are written there: nothing else is said there then.

    Returns:
        Whether all of them could be read, as an exit code.

    Raises:
        DeliveryFailed: the exporter could not put a line together.
        MissingExtra: it is not installed.
        OSError: the file cannot be written.
    """
    if name == "-":
        read, _ = _write(invocation, entries, signal, sys.stdout)
    else:
        with Path(name).open("w", encoding="utf-8") as stream:
            read, written = _write(invocation, entries, signal, stream)
        items = f"{count(written, signal.item)} of {count(read, 'incident')}"
        click.echo(f"{items} written to {name}", err=is_stdout_taken)
    return ExitCode.OK if read == len(entries) else ExitCode.FAILED


def _write(
    invocation: Invocation, entries: Sequence[SpoolEntry], signal: Signal, stream: IO[str]
) -> tuple[int, int]:
    """Write lines; return of how many incidents, and how much is in them."""
    read = written = 0
    for entry in entries:
        try:
            incident = invocation.read(entry)
        except NotAnIncident as error:
            click.echo(f"otel-flight: {error}", err=True)
            continue
        read += 1
        for line in json_lines(signal, incident, Pacer(1.0), Guard()):
            stream.write(line.text)
            written += line.items
    return read, written
