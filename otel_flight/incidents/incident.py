"""An incident in memory: its manifest and its window, read from a file or just made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.window import Window


@dataclass(frozen=True)
class Incident:
    """A frozen window and why it was kept; a snapshot has no cause."""

    manifest: Manifest
    """Everything about it but its records."""
    window: Window
    """Its records."""
    path: Path | None = None
    """The `.flight` file it was read from or written to; None while it is only in memory."""
    folder: str = ""
    """Where in the file it is: of another process, as the manifest of the whole incident says."""
    others: Iterable[Incident] = ()
    """Its windows of other processes of the service; each is read when it is its turn."""

    def with_manifest(self, manifest: Manifest) -> Incident:
        """Return the incident with another manifest."""
        return replace(self, manifest=manifest)
