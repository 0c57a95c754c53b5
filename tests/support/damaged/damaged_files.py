"""Files as the package writes them, and a place where damaged ones are read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import msgspec

from otel_flight.incidents.flight_file import write_file
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import LOGS_STATE_SUFFIX, STATE_SUFFIX
from otel_flight.ring.file import RING_SUFFIX
from tests.support.damaged.readers import is_flight, is_ring, is_state
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.support.incidents.rich_incident import INCIDENT_ID, rich_incident

_NAME: Final = f"{INCIDENT_ID}-shop"


class DamagedFiles:
    """Whole files, and readers of what others make of their bytes.

    Args:
        directory: where all of them are.

    Attributes:
        flight: the bytes of an incident with something of everything.
        state: those of how far its delivery is.
        ring: those of a ring.
    """

    def __init__(self, directory: Path) -> None:
        self._spool = directory / "spool"
        self._rings = directory / "rings"
        for path in (self._spool, self._rings):
            path.mkdir(mode=0o700)
        incident = rich_incident(directory / "recording")
        write_file(incident, self.flight_path)
        self.flight = self.flight_path.read_bytes()
        self.state = msgspec.json.encode(
            DeliveryState(chunks=1, attempts=2, last_error="refused", endpoint="http://backend:1")
        )
        with IncidentBuilder(directory / "recording", window_bytes=512 * 1024) as builder:
            builder.request("GET /items", 0, 20)
            builder.open("GET /report", 10)
            self.ring = builder.ring_path.read_bytes()

    @property
    def flight_path(self) -> Path:
        """The incident's file."""
        return self._spool / f"{_NAME}.flight"

    def is_flight(self, data: bytes) -> bool:
        """Read an incident of these bytes in every way; return whether that is possible.

        Raises:
            Exception: what no reader should raise.
        """
        self._empty()
        self.flight_path.write_bytes(data)
        return is_flight(self.flight_path)

    def is_state(self, data: bytes) -> bool:
        """Read a state of these bytes in every way, beside a whole incident.

        Raises:
            Exception: what no reader should raise.
        """
        self._empty()
        self.flight_path.write_bytes(self.flight)
        self.flight_path.with_suffix(STATE_SUFFIX).write_bytes(data)
        self.flight_path.with_suffix(LOGS_STATE_SUFFIX).write_bytes(data)
        return is_state(self.flight_path)

    def is_ring(self, data: bytes) -> bool:
        """Read a ring of these bytes in every way; return whether that is possible.

        Raises:
            Exception: what no reader should raise.
        """
        path = self._rings / f"{os.getpid()}{RING_SUFFIX}"
        path.write_bytes(data)
        return is_ring(path)

    def _empty(self) -> None:
        shutil.rmtree(self._spool)
        self._spool.mkdir(mode=0o700)
