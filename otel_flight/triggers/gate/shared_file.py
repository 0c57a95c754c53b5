"""A small file that the processes of a service decide by, one at a time. No daemon.

What does not work: a lock that outlives its holder (a lock file, a semaphore), so `flock`; a
descriptor that stays open (a daemon closes all it does not know, and another file gets the number;
a forked child would hold the lock on), so it is opened for each decision and unlocked before it is
closed. A process that is killed in the middle of writing leaves a wrong check sum: the next one
finds nothing, and begins anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.native import posix, sleep

_SUM_BYTES: Final = 4
_MOST_BYTES: Final = 4 << 20
"""A larger file is none of ours."""
_BETWEEN_TRIES_SECONDS: Final = 0.001
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class HeldFile:
    """The file while this process holds it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> bytes:
        """Return what was written last; empty: nothing whole was."""
        data = posix.pread(self._descriptor, _MOST_BYTES, 0)
        content = data[_SUM_BYTES:]
        return content if data[:_SUM_BYTES] == _sum(content) else b""

    def write(self, content: bytes) -> None:
        """Replace what is there."""
        posix.pwrite(self._descriptor, _sum(content) + content, 0)
        posix.ftruncate(self._descriptor, _SUM_BYTES + len(content))


class SharedFile:
    """A file in a directory that only we can enter.

    Args:
        path: where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def beside(self, suffix: str) -> SharedFile:
        """Return another file of the same processes."""
        return SharedFile(self.path.with_suffix(suffix))

    @contextlib.contextmanager
    def held(self, patience_seconds: float) -> Iterator[HeldFile | None]:
        """Hold the file.

        Args:
            patience_seconds: how long to wait for another process; 0: not at all.

        Yields:
            The file; None: another process holds it.

        Raises:
            OSError: it cannot be opened, read or written.
        """
        until_ns = monotonic_ns() + int(patience_seconds * 1e9)
        descriptor, is_held = self._lock(until_ns)
        try:
            try:
                yield HeldFile(descriptor) if is_held else None
            finally:
                if is_held:
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            posix.close(descriptor)

    def _lock(self, until_ns: int) -> tuple[int, bool]:
        """Return a descriptor of the file, and whether it is locked."""
        while True:
            descriptor = posix.open(self.path, _FLAGS, 0o600)
            try:
                is_held = _lock(descriptor, until_ns)
                if not is_held or self._leads_to(descriptor):
                    return descriptor, is_held
            except BaseException:
                posix.close(descriptor)
                raise
            posix.close(descriptor)  # another process has removed it meanwhile

    def _leads_to(self, descriptor: int) -> bool:
        try:
            named = self.path.lstat()
        except FileNotFoundError:
            return False
        return os.path.samestat(named, posix.fstat(descriptor))


def _lock(descriptor: int, until_ns: int) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic_ns() >= until_ns:
                return False
            sleep(_BETWEEN_TRIES_SECONDS)
        else:
            return True


def _sum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_SUM_BYTES, "little")
