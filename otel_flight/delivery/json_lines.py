"""Incidents as OTLP-JSON: one line is one chunk, as the official file exporter writes it.

The Collector's `otlpjsonfile` receiver reads that. A file stands alone, and holds one signal. Where
nothing is configured to export to, one is written beside each incident.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from otel_flight.delivery.log_chunks import LogChunks
from otel_flight.delivery.other_windows import all_windows
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import attempt_export
from otel_flight.delivery.receiver.exporters import build_json_exporter
from otel_flight.delivery.receiver.signals import LOGS, SPANS, Signal
from otel_flight.delivery.span_chunks import MOST_SPANS, SpanChunks
from otel_flight.errors import DeliveryFailed, MissingExtra
from otel_flight.ground.guard import Guard
from otel_flight.ground.own_files import whole_file
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool

_SPANS_PER_LINE: Final = 32
"""A service writes at most this many spans in a line: the call that puts it together lets no other
thread run."""


class JsonLine(NamedTuple):
    """A line, its end included, and how many spans or log records are in it."""

    text: str
    items: int


def json_lines(
    signal: Signal,
    incident: Incident,
    pacer: Pacer,
    guard: Guard,
    *,
    most_spans: int = MOST_SPANS,
    endpoint: str = "OTLP-JSON",
) -> Iterator[JsonLine]:
    """Yield all of an incident.

    By way of a buffer, as the exporter tells nobody why it could not write to a file.

    Args:
        signal: what of the incident.
        incident: the incident.
        pacer: yields the GIL in between.
        guard: notes spans and log records that cannot be built; the others are there.
        most_spans: in one line.
        endpoint: where the lines go, for the error.

    Raises:
        MissingExtra: the official exporter is not installed.
        DeliveryFailed: it could not put a line together.
    """
    buffer = StringIO()
    exporter = build_json_exporter(signal, buffer)
    chunks = (
        chunk
        for part in all_windows(incident, guard, pacer)
        for chunk in (
            LogChunks(part, pacer, guard, is_standalone=True)
            if signal is LOGS
            else SpanChunks(part, pacer, guard, is_standalone=True, most_spans=most_spans)
        )
    )
    for chunk in chunks:
        if why := attempt_export(exporter, chunk).failure:
            raise DeliveryFailed(endpoint, why)
        yield JsonLine(buffer.getvalue(), len(chunk))
        buffer.seek(0)
        buffer.truncate()


def write_json_copy(
    spool: Spool, entry: SpoolEntry, pacer: Pacer, guard: Guard, go_on: Callable[[], bool]
) -> int | None:
    """Write the spans of an incident beside it, and note that in the spool.

    Args:
        spool: where the incident is.
        entry: the incident, on which the caller holds the claim.
        pacer: yields the GIL in between.
        guard: notes spans that cannot be built; the others are there.
        go_on: asked before each line; when it says no, nothing is written.

    Returns:
        How many spans were written; None when `go_on` said no.

    Raises:
        MissingExtra: the exporter is not installed; the incident counts as delivered all the same.
        DeliveryFailed, NotAnIncident, OSError: it could not be read or written.
    """
    path = spool.json_path(entry)
    incident = spool.read(entry)
    lines = json_lines(
        SPANS, incident, pacer, guard, most_spans=_SPANS_PER_LINE, endpoint=str(path)
    )
    state = msgspec.structs.replace(entry.state, attempts=entry.state.attempts + 1)
    spool.save_state(entry, state)
    try:
        written = _write_whole(path, lines, go_on)
    except MissingExtra as error:
        changes = {"delivered": True, "last_error": str(error)}
        spool.save_state(entry, msgspec.structs.replace(state, **changes))
        raise
    if written is None:
        spool.save_state(entry, entry.state)
    else:
        changes = {"delivered": True, "last_error": "", "endpoint": str(path)}
        spool.save_state(entry, msgspec.structs.replace(state, **changes))
    return written


def _write_whole(path: Path, lines: Iterable[JsonLine], go_on: Callable[[], bool]) -> int | None:
    """Write lines to a file that only the user can read, and that is whole or not there."""
    written = 0
    with contextlib.suppress(_Stopped), whole_file(path) as stream:
        for line in lines:
            if not go_on():
                raise _Stopped
            stream.write(line.text.encode())
            written += line.items
        return written
    return None


class _Stopped(Exception):  # noqa: N818  (nothing went wrong: time is up)
    """Ends the writing of a file that is not to be there."""
