"""What of an incident is delivered: its spans, and, where a setting says so, its log records.

Each goes its own way, with an exporter, progress and failures of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Final

from otel_flight.delivery.chunks import Chunk
from otel_flight.delivery.incident_delivery import IncidentDelivery, LogDelivery
from otel_flight.delivery.log_chunks import LogChunks
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import Exporter
from otel_flight.delivery.receiver.exporters import (
    Destination,
    build_exporter,
    build_json_exporter,
    build_json_log_exporter,
    build_log_exporter,
    destination,
    logs_destination,
)
from otel_flight.delivery.span_chunks import SpanChunks
from otel_flight.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool import Spool
from otel_flight.settings.fields import CoreSettings

BuildExporter = Callable[[CoreSettings, float | None], Exporter]
"""Makes the OTLP exporter, with a timeout in seconds for each chunk or its own."""

BuildChunks = Callable[[Incident, Pacer, Guard], Iterable[Chunk[Any]]]
"""Makes the chunks of what stands alone, as a file does: whatever was delivered before."""


@dataclass(frozen=True)
class Cargo:
    """A part of every incident.

    Attributes:
        item: what it is made of, one.
        of_incident: what it is called before the incident's id.
        with_states: makes a spool one that has the states of its deliveries.
        destination: where it goes.
        build_exporter: makes what takes it there.
        delivery: hands it over.
        standalone_chunks: makes all of it, to be written to a file.
        build_json_exporter: makes what writes it.
    """

    item: str
    of_incident: str
    with_states: Callable[[Spool], Spool]
    destination: Callable[[CoreSettings], Destination]
    build_exporter: BuildExporter
    delivery: Callable[[Spool, CoreSettings, Guard, Pacer], IncidentDelivery]
    standalone_chunks: BuildChunks
    build_json_exporter: Callable[[IO[str]], Exporter]


def _as_it_is(spool: Spool) -> Spool:
    return spool


SPANS: Final = Cargo(
    item="span",
    of_incident="incident",
    with_states=_as_it_is,
    destination=destination,
    build_exporter=build_exporter,
    delivery=IncidentDelivery,
    standalone_chunks=partial(SpanChunks, is_standalone=True),
    build_json_exporter=build_json_exporter,
)
LOGS: Final = Cargo(
    item="log record",
    of_incident="the log records of incident",
    with_states=Spool.of_logs,
    destination=logs_destination,
    build_exporter=build_log_exporter,
    delivery=LogDelivery,
    standalone_chunks=partial(LogChunks, is_standalone=True),
    build_json_exporter=build_json_log_exporter,
)
