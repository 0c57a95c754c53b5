"""By which file the processes of a service on one host decide about incidents together."""

from __future__ import annotations

import contextlib
from hashlib import blake2b
from pathlib import Path
from typing import Final

from otel_flight.clock import wall_ns
from otel_flight.ring.ring import boot_id
from otel_flight.ring.siblings import sibling_rings
from otel_flight.triggers.gate.shared_file import SharedFile

_SUFFIX: Final = ".gate"
_UNNAMED: Final = "unknown_service"
"""The SDK calls services so that were given no name: whatever programs have none, they are not one
service."""
_KEPT_SECONDS: Final = 2 * 24 * 3600
"""A file that nothing was decided by for so many seconds is removed: the longest cooldown is over
by then."""


def shared_gate(own_ring: Path, service: str, spool: Path) -> SharedFile | None:
    """Return the file of a service, which knows nothing if no other process of it is there.

    Args:
        own_ring: of this process; the file is beside it.
        service: its name.
        spool: where its incidents are; with another one it is another service.

    Returns:
        None: the service has no name.
    """
    if not service or service.startswith(_UNNAMED):
        return None
    identity = "\0".join((boot_id(), service, str(spool)))
    name = blake2b(identity.encode(errors="replace"), digest_size=8).hexdigest()
    file = SharedFile(own_ring.with_name(name + _SUFFIX))
    _remove_old(own_ring.parent)
    forget_if_alone(file, own_ring, service)
    return file


def forget_if_alone(file: SharedFile, own_ring: Path, service: str) -> None:
    """Remove the file of a service, unless another process of it is there to go by it."""
    if file.path.exists():
        siblings = sibling_rings(own_ring, service)
        if not any(reader.is_owner_alive() for reader in siblings):
            file.path.unlink(missing_ok=True)


def _remove_old(directory: Path) -> None:
    before = wall_ns() / 1e9 - _KEPT_SECONDS
    for path in directory.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):  # removed by another process
            if path.stat().st_mtime < before:
                path.unlink()
