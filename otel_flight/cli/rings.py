"""The rings on this machine, as commands list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_flight.errors import NotARing
from otel_flight.ring.facts import SERVICE
from otel_flight.ring.file import RING_SUFFIX
from otel_flight.ring.reader import RingHeader, RingReader


@dataclass(frozen=True)
class RingListing:
    """A ring that was found."""

    path: Path
    header: RingHeader
    is_alive: bool

    @property
    def service(self) -> str:
        """The service that writes it, as far as its process knew."""
        return str(self.header.facts.get(SERVICE, ""))

    @property
    def state(self) -> str:
        """`live`, `closed` or `dead`."""
        if self.is_alive:
            return "live"
        return "closed" if self.header.is_clean else "dead"


def find_rings(directories: Sequence[Path]) -> list[RingListing]:
    """Return all readable rings in the directories, the newest last."""
    found = []
    for path in (path for directory in directories for path in directory.glob(f"*{RING_SUFFIX}")):
        try:
            with RingReader(path) as reader:
                found.append(RingListing(path, reader.image.header(), reader.is_owner_alive()))
        except NotARing:  # ended since it was listed, being made just now, or not ours
            continue
    return sorted(found, key=lambda ring: ring.header.created_wall_ns)
