"""By which file the processes of a service on one host decide about incidents together."""

from __future__ import annotations

import contextlib
import sys
from hashlib import blake2b
from pathlib import Path
from typing import Final

from otel_flight.ground.clock import wall_ns
from otel_flight.ground.native import getppid
from otel_flight.incidents.making.sent_unfinished import FILE_SUFFIX
from otel_flight.ring.dead_rings import started_ticks
from otel_flight.ring.file import is_named_owner_alive
from otel_flight.ring.ring import boot_id
from otel_flight.ring.siblings import is_named
from otel_flight.triggers.gate.shared_file import SharedFile
from otel_flight.triggers.gate.state import Member, decoded

_SUFFIX: Final = ".gate"
_KEPT_SECONDS: Final = 2 * 24 * 3600
"""A file that nothing was decided by for so many seconds is removed: the longest cooldown is over
by then."""
_PATIENCE_SECONDS: Final = 0.02


def member(own_ring: Path) -> Member:
    """Return how other processes tell whether this one, or what started it, is still there."""
    parent = _forking_parent()
    return Member(own_ring.name, parent, (started_ticks(parent) or 0) if parent else 0)


def shared_gate(own_ring: Path, service: str, spool: Path) -> SharedFile | None:
    """Return the file of a service, which knows nothing if no other process of it is there.

    Args:
        own_ring: of this process; the file is beside it.
        service: its name.
        spool: where its incidents are; with another one it is another service.

    Returns:
        None: the service has no name.
    """
    file = gate_file(own_ring.parent, service, spool)
    if file is not None:
        _remove_old(own_ring.parent)
        forget_if_alone(file, own_ring)
    return file


def gate_file(directory: Path, service: str, spool: Path) -> SharedFile | None:
    """Return the file of a service among the rings of a directory; None: it has no name."""
    if not is_named(service):
        return None
    identity = "\0".join((boot_id(), service, str(spool)))
    name = blake2b(identity.encode(errors="replace"), digest_size=8).hexdigest()
    return SharedFile(directory / (name + _SUFFIX))


def forget_if_alone(file: SharedFile, own_ring: Path) -> None:
    """Remove the file of a service, unless another process that has decided by it goes on.

    A worker that took the place of another one goes on with what that knew: both have one parent.
    """
    if not file.path.exists():
        return
    with file.held(_PATIENCE_SECONDS) as held:
        state = None if held is None else decoded(held.read())
        own = member(own_ring)
        members = [] if state is None else state.members
        if held is None or any(_goes_on(each, own, own_ring) for each in members):
            return
        file.beside(FILE_SUFFIX).path.unlink(missing_ok=True)
        file.path.unlink(missing_ok=True)


def _goes_on(other: Member, own: Member, own_ring: Path) -> bool:
    if other.parent and (other.parent, other.parent_started) == (own.parent, own.parent_started):
        return True
    return other.ring != own.ring and is_named_owner_alive(own_ring.with_name(other.ring))


def _forking_parent() -> int:
    """Return the process that this one is a worker of; 0: it was started as a program of its own.

    Such a parent runs the same program: this process was forked, or spawned by multiprocessing.
    """
    parent = getppid()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        return parent
    with contextlib.suppress(OSError):
        lines = [Path(f"/proc/{each}/cmdline").read_bytes() for each in ("self", parent)]
        if lines[0] == lines[1]:
            return parent
    return 0


def _remove_old(directory: Path) -> None:
    before = wall_ns() / 1e9 - _KEPT_SECONDS
    for suffix in (_SUFFIX, FILE_SUFFIX):
        for path in directory.glob(f"*{suffix}"):
            with contextlib.suppress(OSError):  # removed by another process
                if path.stat().st_mtime < before:
                    path.unlink()
