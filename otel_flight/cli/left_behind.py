"""What dead processes have left and nobody has recovered yet: commands show it as it would be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from otel_flight.errors import NotAnIncident, NotARing
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.recovery.unclaimed import unclaimed_incidents
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.ring.dead_rings import CLAIMED_SUFFIX, dead_rings
from otel_flight.ring.file import RING_SUFFIX

RING_SUFFIXES: Final = frozenset({RING_SUFFIX, CLAIMED_SUFFIX})
_MOST_RINGS: Final = 16
"""At most so many rings are looked into, the newest: each takes some tenths of a second."""
_GONE: Final = "it was recovered meanwhile"


class LeftBehind:
    """The incidents in rings of dead processes, which stay as they are.

    Args:
        directories: where rings may be.
        window_seconds: how far back an incident reaches.
    """

    def __init__(self, directories: Sequence[Path], window_seconds: float) -> None:
        self._directories = directories
        self._window_seconds = window_seconds
        self._known: dict[Path, list[Manifest]] = {}  # a dead process writes no more

    def entries(self) -> list[SpoolEntry]:
        """Return the incidents that there are."""
        return [each for ring in self._dead()[-_MOST_RINGS:] for each in self.entries_of(ring)]

    def entries_of(self, ring: Path) -> list[SpoolEntry]:
        """Return the incidents in one ring."""
        return [
            SpoolEntry(ring, each.incident_id, each.window_bytes, each.closed_ns, DeliveryState())
            for each in self._manifests(ring)
        ]

    def manifest(self, entry: SpoolEntry) -> Manifest:
        """Return what is known of an incident of `entries`.

        Raises:
            NotAnIncident: it was recovered meanwhile.
        """
        for each in self._manifests(entry.path):
            if each.incident_id == entry.incident_id:
                return each
        raise NotAnIncident(entry.path, _GONE)

    def read(self, entry: SpoolEntry) -> Incident:
        """Return an incident of `entries`.

        Raises:
            NotAnIncident: it was recovered meanwhile.
        """
        for each in self._incidents(entry.path):
            if each.manifest.incident_id == entry.incident_id:
                return each
        raise NotAnIncident(entry.path, _GONE)

    def _dead(self) -> list[Path]:
        found = []
        for path in dead_rings(self._directories):
            try:
                found.append((path.stat().st_mtime_ns, path))
            except OSError:  # claimed meanwhile
                continue
        return [path for _, path in sorted(found)]

    def _manifests(self, ring: Path) -> list[Manifest]:
        if ring not in self._known or not ring.exists():
            self._known[ring] = [each.manifest for each in self._incidents(ring)]
        return self._known[ring]

    def _incidents(self, ring: Path) -> list[Incident]:
        try:
            return unclaimed_incidents(ring, self._window_seconds)
        except NotARing:  # recovered meanwhile, or of another version
            return []


def is_left_behind(entry: SpoolEntry) -> bool:
    """Return whether an incident is in a ring, and in no file of its own."""
    return entry.path.suffix in RING_SUFFIXES
