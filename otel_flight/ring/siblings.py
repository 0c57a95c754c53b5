"""The rings of the other processes of a service, beside that of a process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from otel_flight.errors import NotARing
from otel_flight.ring.facts import SERVICE
from otel_flight.ring.file import RING_SUFFIX
from otel_flight.ring.reader import RingReader

_UNNAMED: Final = "unknown_service"
"""The SDK calls services so that were given no name."""


def is_named(service: str) -> bool:
    """Return whether a service has a name: whatever programs have none are not one service."""
    return bool(service) and not service.startswith(_UNNAMED)


def sibling_rings(own: Path, service: str) -> Iterator[RingReader]:
    """Yield the rings of other processes, alive or dead, that were not closed; each for a moment.

    60 µs for each ring in the directory.

    Args:
        own: the ring of the process that asks.
        service: of this service only.
    """
    for path in sorted(own.parent.glob(f"*{RING_SUFFIX}")):
        if path == own:
            continue
        # Being made, or gone by now.
        with contextlib.suppress(NotARing), RingReader(path) as reader:
            header = reader.image.header()
            if not header.is_clean and header.facts.get(SERVICE) == service:
                yield reader
