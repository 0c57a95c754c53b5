"""What the log of the application says about deliveries: each thing once, and what to look at."""

from __future__ import annotations

import logging
from pathlib import Path

from otel_flight.delivery.receiver.exporters import Destination
from otel_flight.delivery.receiver.signals import Signal
from otel_flight.errors import MissingExtra, NotAnIncident
from otel_flight.ground.quoting import without_secrets
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import SpoolEntry

_logger = logging.getLogger("otel_flight")


def say_undeliverable(signal: Signal, entry: SpoolEntry, state: DeliveryState) -> None:
    """Say which part of an incident the receiver does not take."""
    _logger.warning(
        "otel-flight: %s does not take %d of the %ss of incident %s: %s. They are in %s",
        state.endpoint,
        state.undeliverable_spans,
        signal.item,
        entry.incident_id,
        state.undeliverable_reason or "it gives no reason",
        "memory" if entry.is_in_memory else entry.path,
    )


def say_unreadable(error: NotAnIncident, set_aside: Path | None) -> None:
    """Say that a file cannot be read.

    Args:
        error: why.
        set_aside: what a damaged one is called now.
    """
    rest = f". It is set aside as {set_aside}" if set_aside is not None else ""
    _logger.warning("otel-flight cannot deliver an incident: %s%s", error, rest)


def say_no_json(entry: SpoolEntry, error: MissingExtra) -> None:
    """Say that there are no OTLP-JSON copies."""
    _logger.warning("otel-flight: %s; %s itself is complete", error, entry.path)


def say_failed(signal: Signal, entry: SpoolEntry, target: Destination, error: Exception) -> None:
    """Say that a delivery failed, and is tried again."""
    _logger.warning(
        "otel-flight could not deliver %s %s to %s: %s. It stays in %s and is tried again; from "
        "here on failures are only counted",
        signal.of_incident,
        entry.incident_id,
        target.endpoint or target.kind,
        without_secrets(str(getattr(error, "why", None) or error)),
        "memory" if entry.is_in_memory else "the spool",
    )


def say_recovered(target: Destination, failures: int) -> None:
    """Say that deliveries succeed again."""
    _logger.info(
        "otel-flight delivers to %s again, after %d failed attempts",
        target.endpoint or target.kind,
        failures,
    )
