"""Where a ring's bytes live: a preallocated file in a directory only we can enter, or plain memory.

What does not work: a file on a disk (writeback can stall the application thread inside a plain
store), a sparse file on tmpfs (SIGBUS in the host when the file system fills), a lock file with a
pid in it (pids are reused). Hence: /dev/shm first, every page allocated before use, and flock on
the ring itself, which the kernel drops when the last process holding it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_flight.errors import RingUnavailable
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import (
    open_directory,
    open_file,
    own_name,
    temporary_directories,
    with_own_below,
)

RING_SUFFIX: Final = ".ring"
"""The name of every ring file ends with this."""
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108


_never_unmapped: Final[list[mmap.mmap]] = []
"""The own descriptors of these mappings are the application's by now: to close one closes that."""
_FROM_DESCRIPTOR: Final = 512
"""Our descriptors have numbers from this on, or from half of what the process may have."""


@dataclass(frozen=True)
class Backing:
    """A mapping of `size` bytes; path and descriptor are None for anonymous memory."""

    memory: mmap.mmap
    path: Path | None
    descriptor: int | None
    inner_descriptor: int | None = None
    """The one that the mapping itself keeps open, and closes with itself: up to Python 3.12."""
    identity: tuple[int, int] = (0, 0)
    """Device and inode of the file: a program that closes all descriptors it does not know, as
    daemons do, may have a file of its own under our number by now."""

    def close(self, *, unlink: bool) -> None:
        """Unmap, drop the lock, and remove the file when asked to."""
        if unlink and self.path is not None:
            with contextlib.suppress(OSError):  # the directory is read-only by now, or gone
                posix.unlink(self.path)
        if self.inner_descriptor is not None and self._is_taken(self.inner_descriptor):
            _never_unmapped.append(self.memory)
        else:
            with contextlib.suppress(BufferError):  # being read: unmapped when the reader is done
                self.memory.close()
        if self.descriptor is not None and not self._is_taken(self.descriptor):
            with contextlib.suppress(OSError):  # closed by someone
                posix.close(self.descriptor)

    def _is_taken(self, descriptor: int) -> bool:
        """Return whether a number of ours is now another file's."""
        try:
            return identity_of(descriptor) != self.identity
        except OSError:
            return False


def ring_directories(named: Path | None) -> list[Path]:
    """Return the directories a ring may live in, best first."""
    defaults = [_SHARED_MEMORY / own_name(), *temporary_directories()]
    return defaults if named is None else [*with_own_below(named), *defaults]


def create_backing(directory: Path, name: str, size_bytes: int) -> Backing:
    """Create, allocate, lock and map a new ring file.

    Raises:
        RingUnavailable: the directory is not safe, or there is no room for the file.
    """
    directory_descriptor = open_directory(directory, RingUnavailable)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = raised_descriptor(posix.open(name, flags, 0o600, dir_fd=directory_descriptor))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _allocate(descriptor, size_bytes)
            identity = identity_of(descriptor)
            memory = _map(descriptor, size_bytes)
        except BaseException:
            posix.close(descriptor)
            posix.unlink(name, dir_fd=directory_descriptor)
            raise
    except OSError as error:
        raise RingUnavailable(directory / name, error.strerror or str(error)) from error
    finally:
        posix.close(directory_descriptor)
    inner = _other_descriptor_of(identity, descriptor)
    return Backing(memory, directory / name, descriptor, inner, identity)


def _map(descriptor: int, size_bytes: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, size_bytes, trackfd=False)
    return mmap.mmap(descriptor, size_bytes)


def _other_descriptor_of(identity: tuple[int, int], known: int) -> int | None:
    """Return by which other number this process has a file open; None when it has not."""
    with contextlib.suppress(OSError):
        for name in posix.listdir("/dev/fd"):
            with contextlib.suppress(OSError):
                if int(name) != known and identity_of(int(name)) == identity:
                    return int(name)
    return None


def raised_descriptor(descriptor: int) -> int:
    """Return a descriptor of the same file with a high number; the given one is closed.

    Some programs count on the lowest free number, to put a file in the place of another.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    least = _FROM_DESCRIPTOR if most == resource.RLIM_INFINITY else min(_FROM_DESCRIPTOR, most // 2)
    try:
        raised = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
    except OSError:  # the process has no more descriptors: this one must do
        return descriptor
    posix.close(descriptor)
    return raised


def identity_of(descriptor: int) -> tuple[int, int]:
    """Return device and inode of an open file."""
    status = posix.fstat(descriptor)
    return status.st_dev, status.st_ino


def _allocate(descriptor: int, size_bytes: int) -> None:
    """Give a new file all its pages, zeroed, so that a store into them can never fail later."""
    posix_fallocate = getattr(posix, "posix_fallocate", None)
    if posix_fallocate is not None:
        posix_fallocate(descriptor, 0, size_bytes)
        return
    zeros = bytes(min(size_bytes, 1 << 20))  # macOS has no such call
    written = 0
    while written < size_bytes:
        written += posix.write(descriptor, zeros[: size_bytes - written])


def anonymous_backing(size_bytes: int) -> Backing:
    """Return memory without a file, which dies with the process."""
    return Backing(mmap.mmap(-1, size_bytes), None, None)


def is_named_owner_alive(path: Path) -> bool:
    """Tell whether there is a ring of this name, and some process still holds it."""
    try:
        descriptor = open_file(path)
    except OSError:
        return False
    try:
        return is_owner_alive(descriptor)
    except OSError:  # a file system without locks: nobody can tell
        return True
    finally:
        posix.close(descriptor)


def is_owner_alive(descriptor: int) -> bool:
    """Tell whether some process still holds the ring of this descriptor."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
