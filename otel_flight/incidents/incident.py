"""An incident in memory: its manifest and its window, read from a file or just made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.window import Window


@dataclass(frozen=True)
class Incident:
    """A frozen window and why it was kept; a snapshot has no cause.

    Attributes:
        manifest: everything about it but its records.
        window: its records.
        path: the `.flight` file it was read from or written to, None while it is only in memory.
    """

    manifest: Manifest
    window: Window
    path: Path | None = None
