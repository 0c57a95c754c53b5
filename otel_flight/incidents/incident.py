"""An incident in memory: its manifest and its window, read from a file or just made."""

from __future__ import annotations

from dataclasses import dataclass
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
