"""Keep dead processes' rings from piling up: the newest few stay, for whoever looks into them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from otel_flight.errors import NotARing
from otel_flight.ring.file import RING_SUFFIX
from otel_flight.ring.reader import RingReader

KEPT_DEAD_RINGS: Final = 4
"""This many rings of dead processes stay, the newest, for whoever looks into them."""


def remove_old_dead_rings(directory: Path, keep: int = KEPT_DEAD_RINGS) -> int:
    """Remove all but the newest `keep` rings of dead processes; return how many were removed."""
    dead = [path for path in directory.glob(f"*{RING_SUFFIX}") if _is_dead(path)]
    dead.sort(key=_modified, reverse=True)
    for path in dead[keep:]:
        path.unlink(missing_ok=True)
    return max(0, len(dead) - keep)


def _is_dead(path: Path) -> bool:
    try:
        with RingReader(path) as reader:
            return not reader.is_owner_alive()
    except NotARing:  # being made just now, or of another format: not ours to judge
        return False


def _modified(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0
