"""Keep dead processes' rings from piling up: the newest few stay, for whoever looks into them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from otel_flight.errors import NotARing, RingUnavailable
from otel_flight.ground.clock import wall_ns
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import open_directory, open_file
from otel_flight.ring.dead_rings import CLAIMED_SUFFIX, dead_rings
from otel_flight.ring.file import RING_SUFFIX, is_owner_alive
from otel_flight.ring.layout import WORD
from otel_flight.ring.reader import RingReader
from otel_flight.ring.stacks_file import STACKS_SUFFIX

_MAKING_SECONDS: Final = 60.0
"""A ring without a beginning is being made for at most so many seconds."""
KEPT_DEAD_RINGS: Final = 4
"""This many rings of dead processes stay, the newest, for whoever looks into them."""


def remove_old_dead_rings(directory: Path, keep: int = KEPT_DEAD_RINGS) -> int:
    """Remove all but the newest `keep` rings of dead processes; return how many were removed.

    Also those that were never finished, as their process died over making them.
    """
    dead = [path for path in directory.glob(f"*{RING_SUFFIX}") if _is_dead(path)]
    dead.sort(key=_modified, reverse=True)
    removed = dead[keep:] + list(filter(_is_unfinished, directory.glob(f"*{RING_SUFFIX}")))
    for path in removed:
        path.unlink(missing_ok=True)
    _remove_orphans(directory)
    return len(removed)


def remove_expired_rings(directory: Path, before_ns: int) -> int:
    """Remove rings of processes that died before a moment; return how many were removed.

    Also those that a process died over, or could not make an incident of. A ring's time is that of
    the last sign of life in it: the file's own does not change when it is written.
    """
    with contextlib.suppress(RingUnavailable):
        posix.close(open_directory(directory, RingUnavailable))
        expired = [path for path in dead_rings([directory]) if _last_sign_ns(path) < before_ns]
        for path in expired:
            path.unlink(missing_ok=True)
        _remove_orphans(directory)
        return len(expired)
    return 0


def _last_sign_ns(path: Path) -> int:
    try:
        with RingReader(path) as reader:
            return reader.image.header().heartbeat_wall_ns
    except NotARing:  # of another format
        return int(_modified(path) * 1e9)


def _remove_orphans(directory: Path) -> None:
    """Remove the files of last stacks whose rings are gone."""
    for path in directory.glob(f"*{STACKS_SUFFIX}"):
        # In this order: a ring that is claimed meanwhile has its new name by then.
        if not any(path.with_suffix(each).exists() for each in (RING_SUFFIX, CLAIMED_SUFFIX)):
            path.unlink(missing_ok=True)


def _is_dead(path: Path) -> bool:
    try:
        with RingReader(path) as reader:
            return not reader.is_owner_alive()
    except NotARing:  # being made just now, or of another format: not ours to judge
        return False


def _is_unfinished(path: Path) -> bool:
    with contextlib.suppress(OSError):
        descriptor = open_file(path)
        try:
            is_old = wall_ns() / 1e9 - posix.fstat(descriptor).st_mtime > _MAKING_SECONDS
            return (
                is_old and not any(posix.read(descriptor, WORD)) and not is_owner_alive(descriptor)
            )
        finally:
            posix.close(descriptor)
    return False


def _modified(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0
