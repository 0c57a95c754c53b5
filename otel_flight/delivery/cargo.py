"""What of an incident is delivered: its spans, and, where a setting says so, its log records.

Each goes its own way, with an exporter, progress and failures of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from otel_flight.delivery.export_attempt import Exporter
from otel_flight.delivery.exporters import (
    Destination,
    build_exporter,
    build_log_exporter,
    destination,
    logs_destination,
)
from otel_flight.delivery.incident_delivery import IncidentDelivery, LogDelivery
from otel_flight.delivery.pacing import Pacer
from otel_flight.guard import Guard
from otel_flight.incidents.spool import Spool
from otel_flight.settings import Settings

BuildExporter = Callable[[Settings, float | None], Exporter]
"""Makes the OTLP exporter, with a timeout in seconds for each chunk or its own."""


@dataclass(frozen=True)
class Cargo:
    """A part of every incident.

    Attributes:
        noun: what it is made of, of many.
        of_incident: what it is called before the incident's id.
        destination: where it goes.
        build_exporter: makes what takes it there.
        delivery: hands it over.
    """

    noun: str
    of_incident: str
    destination: Callable[[Settings], Destination]
    build_exporter: BuildExporter
    delivery: Callable[[Spool, Settings, Guard, Pacer], IncidentDelivery]


SPANS: Final = Cargo(
    noun="spans",
    of_incident="incident",
    destination=destination,
    build_exporter=build_exporter,
    delivery=IncidentDelivery,
)
LOGS: Final = Cargo(
    noun="log records",
    of_incident="the log records of incident",
    destination=logs_destination,
    build_exporter=build_log_exporter,
    delivery=LogDelivery,
)
"""For a spool that has the states of log records: `Spool.of_logs`."""
