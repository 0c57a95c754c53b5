"""The rings of processes that ended without closing them: found, and claimed by one process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from otel_flight.errors import NotARing
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import open_file
from otel_flight.ring.facts import PID_NAMESPACE
from otel_flight.ring.file import RING_SUFFIX, is_owner_alive
from otel_flight.ring.layout import WORD
from otel_flight.ring.reader import RingHeader, RingReader
from otel_flight.ring.ring import pid_namespace
from otel_flight.ring.stacks_file import stacks_path

CLAIMED_SUFFIX: Final = ".claimed"
"""A ring has this end of its name while, and after, a process makes an incident of it: no other
process takes it for one that is still to be looked at, unless that one died over it."""

_START_TIME: Final = 19
"""The start of a process is this field of its `stat`, counted behind its name."""
_EXIT_STATUS: Final = 49
"""The status that it ended with is this field of it."""
_ZOMBIE: Final = "Z"
_FLAGS: Final = 6
"""The kernel's flags of a process are this field of it."""
_EXITING: Final = 0x4
"""A process has this flag when it ends: it lets go of its ring before it is a zombie."""


def dead_rings(directories: Iterable[Path]) -> list[Path]:
    """Return the rings whose process is dead, or died over finishing one. 20 µs for each ring."""
    found = []
    for directory in directories:
        with contextlib.suppress(OSError), posix.scandir(directory) as entries:
            found += [
                Path(entry.path)
                for entry in entries
                if entry.name.endswith((RING_SUFFIX, CLAIMED_SUFFIX)) and _is_free(entry.path)
            ]
    return sorted(found)


@contextlib.contextmanager
def claimed_ring(path: Path) -> Iterator[RingReader | None]:
    """Hold a dead process's ring, and remove it in the end, unless the block raises.

    With it goes the file of its last stacks.

    Yields:
        The ring; None: its process lives, or another one has it.

    Raises:
        NotARing: the file is none, or is gone.
    """
    with RingReader(path) as reader:
        if not reader.claim() or not reader.is_named(path):
            yield None
            return
        kept = path.with_suffix(CLAIMED_SUFFIX)
        try:
            path.rename(kept)
        except OSError as error:
            raise NotARing(path, error.strerror or str(error)) from error
        yield reader
        for each in (kept, stacks_path(path)):
            with contextlib.suppress(OSError):
                each.unlink()


def _is_free(path: str) -> bool:
    try:
        descriptor = open_file(path)
    except OSError:
        return False
    try:
        return any(posix.read(descriptor, WORD)) and not is_owner_alive(descriptor)
    except OSError:  # a file system without locks: nobody can tell
        return False
    finally:
        posix.close(descriptor)


def is_replaced(header: RingHeader) -> bool:
    """Return whether the process of a ring lives on as another program: by `exec`, say."""
    stat = _stat_of(header)
    return bool(stat) and stat[0] != _ZOMBIE and not int(stat[_FLAGS]) & _EXITING


def exit_status(header: RingHeader) -> int | None:
    """Return how the process of a ring ended, while its parent has not asked for that yet.

    Returns:
        Its exit code, or the negative number of the signal that killed it; None: nobody can tell.
    """
    stat = _stat_of(header)
    try:
        if not stat or stat[0] != _ZOMBIE:
            return None
        return os.waitstatus_to_exitcode(int(stat[_EXIT_STATUS]))
    except (ValueError, IndexError):
        return None


def started_ticks(pid: int) -> int | None:
    """Return when a process started, in the kernel's ticks; None: it has ended, or is not known."""
    stat = _stat(pid)
    try:
        return int(stat[_START_TIME]) if stat and stat[0] != _ZOMBIE else None
    except (ValueError, IndexError):
        return None


def _stat_of(header: RingHeader) -> list[str]:
    """Return what the kernel says of a process behind its name; nothing when it is gone.

    Nor where the number means another process: that of a container of its own.
    """
    if header.facts.get(PID_NAMESPACE, "") not in {"", pid_namespace()}:
        return []
    fields = _stat(header.pid)
    try:
        started_ns = int(fields[_START_TIME]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    except (ValueError, IndexError):
        return []
    return fields if started_ns <= header.created_monotonic_ns else []


def _stat(pid: int) -> list[str]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()
