"""Where a new ring goes, and how large it may be there: the application needs that memory, too.

A full /dev/shm kills the application, not us: its own shared memory is mapped sparsely, and a store
into it ends in SIGBUS. Docker gives a container 64 MiB. So all rings of a directory together take
at most a quarter of its file system, and no ring more than half of what is left of that: a smaller
window comes before a slower place. A directory that was named is for rings, and may be filled.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from otel_flight.errors import RingUnavailable
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import lock_directory, open_directory
from otel_flight.ring.cleanup import remove_old_dead_rings
from otel_flight.ring.file import (
    RING_SUFFIX,
    Backing,
    anonymous_backing,
    create_backing,
    ring_directories,
)
from otel_flight.ring.layout import whole_segments
from otel_flight.words import size

_SHARE_OF_ALL: Final = 0.25
"""All rings of a default directory may take this part of what its file system has for us."""
_SHARE_OF_REST: Final = 0.5
"""One ring may take this part of what is left of that."""
_LEAST_BYTES: Final = 512 * 1024
"""A place with room for less than this is no place for a ring."""
_TRIES: Final = 100
_BETWEEN_TRIES_SECONDS: Final = 0.01
"""The lock of a directory is tried so often, and in between for so many seconds not; it is held for
as long as it takes to allocate a ring."""


class Placed(NamedTuple):
    """A ring's memory, and what stood in the way of better.

    Attributes:
        backing: the memory; without a path it dies with the process.
        refusals: why each better directory was refused.
        shortage: why the ring is smaller than was asked for; empty: it is not.
    """

    backing: Backing
    refusals: list[RingUnavailable]
    shortage: str

    def problems(self, named: str | None, wanted_bytes: int) -> list[str]:
        """Return a sentence for each thing that is not as it was asked for.

        Args:
            named: the directory that the setting names; None: it names none.
            wanted_bytes: the size that was asked for.
        """
        path = self.backing.path
        if path is None:
            refused = "; ".join(map(str, self.refusals))
            said = (
                "otel-flight keeps its window in anonymous memory, which is lost when the process"
            )
            return [f"{said} is killed: {refused}."]
        problems = []
        if self.refusals:
            better = named or self.refusals[0].path
            problems.append(
                f"otel-flight keeps its window in {path.parent} instead of {better}: "
                f"{self.refusals[0]}."
            )
        if self.shortage:
            problems.append(
                f"otel-flight keeps a window of {size(len(self.backing.memory))} instead of "
                f"{size(wanted_bytes)} in {path.parent}: {self.shortage}; set "
                "OTEL_FLIGHT_RING_DIRECTORY to a memory volume of its own, or enlarge this one."
            )
        return problems


def place_ring(directories: list[Path], name: str, size_bytes: int) -> Placed:
    """Create a ring in the first directory that allows it, else in anonymous memory.

    Blocks for as long as allocating takes, and up to a second for other processes that do the same.

    Args:
        directories: the best first.
        name: the file's name.
        size_bytes: its size where there is room for it, else it has as many segments as fit.
    """
    refusals: list[RingUnavailable] = []
    for directory in directories:
        try:
            with _alone_in(directory):
                room_bytes = _room_in(directory, size_bytes)
                shortage = _shortage_in(directory) if room_bytes < size_bytes else ""
                fitting_bytes = min(size_bytes, whole_segments(room_bytes))
                backing = create_backing(directory, name, fitting_bytes)
        except RingUnavailable as error:
            refusals.append(error)
            continue
        return Placed(backing, refusals, shortage)
    return Placed(anonymous_backing(size_bytes), refusals, "")


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Keep other processes from making a ring in a directory: they would count on the same room.

    Raises:
        RingUnavailable: the directory is not safe, or another process does not let go of it.
    """
    descriptor = open_directory(directory, RingUnavailable)
    try:
        if not lock_directory(descriptor):
            raise RingUnavailable(directory, "another process is making a ring in it")
        yield
    finally:
        posix.close(descriptor)


def _room_in(directory: Path, size_bytes: int) -> int:
    """Return how large a ring may be in a directory, after dead ones made room as far as needed.

    Raises:
        RingUnavailable: there is no room for any.
    """
    room_bytes = _room_now(directory)
    for keep in (None, 0):
        if room_bytes >= size_bytes:
            break
        remove_old_dead_rings(directory, *(() if keep is None else (keep,)))
        room_bytes = _room_now(directory)
    if room_bytes < min(_LEAST_BYTES, size_bytes):
        raise RingUnavailable(directory, _shortage_in(directory))
    return room_bytes


def _room_now(directory: Path) -> int:
    free_bytes, ours_bytes = _measure(directory)
    if directory not in ring_directories(None):
        return free_bytes
    rest_bytes = (free_bytes + ours_bytes) * _SHARE_OF_ALL - ours_bytes
    return int(rest_bytes * _SHARE_OF_REST)


def _measure(directory: Path) -> tuple[int, int]:
    """Return the bytes that are free for us where a directory is, and those that rings take there.

    Raises:
        RingUnavailable: the directory is gone.
    """
    ours_bytes = 0
    try:
        status = os.statvfs(directory)
        for name in posix.listdir(directory):
            if name.endswith(RING_SUFFIX):
                with contextlib.suppress(FileNotFoundError):  # removed just now
                    ours_bytes += (directory / name).stat().st_size
    except OSError as error:
        raise RingUnavailable(directory, error.strerror or str(error)) from error
    return status.f_bavail * status.f_frsize, ours_bytes


def _shortage_in(directory: Path) -> str:
    free_bytes, ours_bytes = _measure(directory)
    said = f"its file system has {size(free_bytes)} free"
    if directory in ring_directories(None):
        said += f" and {size(ours_bytes)} of rings, which are to leave three quarters of it"
    return said
