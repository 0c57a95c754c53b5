"""Reads a file in every way that the package can, as a command or a service would.

Each reader tells whether the file could be read; what no reader should raise comes out of it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from otel_flight.delivery.log_chunks import LogChunks
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.span_chunks import SpanChunks
from otel_flight.errors import FlightError
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import LOGS_STATE_SUFFIX
from otel_flight.incidents.spool.spool import Spool
from otel_flight.ring.layout import REQUEST_BYTES, REQUEST_OFFSET
from otel_flight.ring.reader import RingReader
from otel_flight.ring.request import ask_for_incidents
from tests.support.incidents.command_line import run


def is_flight(path: Path) -> bool:
    """List an incident, show it, and make all requests that a delivery of it would."""
    directory = ("--spool-directory", str(path.parent))
    run("list", *directory)
    run("list", "--json", *directory)
    run("show", "--all", str(path))
    run("show", "--json", str(path))
    try:
        incident = read_incident(path)
    except FlightError:
        return False
    for chunk in SpanChunks(incident, Pacer(1.0), Guard()):
        if chunk.encoded(encode_spans) is None:
            encode_spans(list(chunk))
    for logs in LogChunks(incident, Pacer(1.0), Guard()):
        list(logs)
    return True


def is_state(path: Path) -> bool:
    """Look at a spool with one incident, of which a file says how far its delivery is."""
    run("list", "--spool-directory", str(path.parent))
    run("show", str(path))
    spool = Spool(path.parent, 1 << 30, 10)
    (entry,) = spool.entries()
    spool.of(LOGS_STATE_SUFFIX).entries()
    return entry.state != DeliveryState()


def is_ring(path: Path) -> bool:
    """Look into a ring, and ask its owner for an incident."""
    directory = ("--ring-directory", str(path.parent))
    run("inspect", *directory)
    run("inspect", "--json", *directory)
    run("inspect", "--segments", "--records", str(path))
    run("inspect", "--json", "--records", str(path))
    with contextlib.suppress(FlightError):
        ask_for_incidents([path], "why", {}, 0)
    try:
        with RingReader(path) as reader:
            reader.image.sized_json(REQUEST_OFFSET, REQUEST_BYTES)
    except FlightError:
        return False
    return True
