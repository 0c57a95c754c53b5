"""Incidents that could not be written, as the bytes of their files: sent from here if possible.

They are compressed as they would be in the file, a tenth of their window. Those that nobody could
take when the process ends are lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from otel_flight.incidents.spool.delivery_state import DeliveryState

MAX_UNWRITTEN: Final = 2
"""At most this many closed incidents are in memory, to be written or as they cannot be; one more
counts as failed."""


@dataclass
class KeptIncident:
    """An incident that is in memory only.

    Attributes:
        incident_id: its id.
        name: of the file that it would be.
        data: the bytes of that file.
        kept_ns: since when it is kept, by the wall clock.
        states: how far its deliveries are, by the suffix of the file that would say so.
        settled: the suffixes of the deliveries that are over, or are not to be.
    """

    incident_id: str
    name: str
    data: bytes
    kept_ns: int
    states: dict[str, DeliveryState] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def state(self, suffix: str) -> DeliveryState:
        """Return how far one of its deliveries is."""
        return self.states.get(suffix, DeliveryState())


class MemoryShelf:
    """At most `MAX_UNWRITTEN` incidents.

    They are added by whoever runs the worker's jobs, and taken away by the worker's thread; the
    number may be asked for by any thread.
    """

    def __init__(self) -> None:
        self._kept: dict[str, KeptIncident] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def has_room(self) -> bool:
        """Tell whether one more may be kept."""
        return len(self._kept) < MAX_UNWRITTEN

    def keep(self, incident: KeptIncident) -> None:
        """Add an incident."""
        self._kept[incident.incident_id] = incident

    def all(self) -> list[KeptIncident]:
        """Return what is kept, oldest first."""
        return list(self._kept.values())

    def get(self, incident_id: str) -> KeptIncident | None:
        """Return one of them; None: it is not here."""
        return self._kept.get(incident_id)

    def remove(self, incident: KeptIncident) -> None:
        """Take one away, as it is written, or delivered."""
        self._kept.pop(incident.incident_id, None)

    def settle(self, suffix: str) -> None:
        """Note that one of their deliveries is not to be."""
        for incident in self.all():
            incident.settled.add(suffix)
