"""The file beside a ring into which stacks are written when Python cannot run any more.

The interpreter's `faulthandler` writes into it by its descriptor, also in the middle of a crash.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final, NamedTuple

from otel_flight.errors import RingUnavailable
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import open_file
from otel_flight.ring.file import identity_of, raised_descriptor

STACKS_SUFFIX: Final = ".stacks"
"""The file has the name of its ring, with this end."""
_MOST_BYTES: Final = 1 << 20
"""This many bytes of such a file are read at most: a report has 100 threads of 100 frames."""


class WrittenStacks(NamedTuple):
    """What such a file has."""

    text: str
    seen_ns: int
    """When its process was last seen alive in it, by the wall clock."""


_NOTHING: Final = WrittenStacks("", 0)


def stacks_path(ring: Path) -> Path:
    """Return the path of the file beside a ring, which is claimed or not."""
    return ring.with_suffix(STACKS_SUFFIX)


def read_stacks(path: Path) -> WrittenStacks:
    """Return what a file of a dead process has; nothing where there is none."""
    with contextlib.suppress(OSError):
        descriptor = open_file(path)
        try:
            return _read(descriptor)
        finally:
            posix.close(descriptor)
    return _NOTHING


def _read(descriptor: int) -> WrittenStacks:
    status = posix.fstat(descriptor)
    if not status.st_size:
        return _NOTHING
    text = posix.pread(descriptor, _MOST_BYTES, 0).decode("ascii", "backslashreplace")
    return WrittenStacks(text, status.st_mtime_ns)


class StacksFile:
    """The file of a process that lives.

    Attributes:
        path: where it is.
        descriptor: it is open for as long as nobody closes what is not theirs: see `take`.

    Raises:
        RingUnavailable: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND
        try:
            self.descriptor = raised_descriptor(posix.open(path, flags, 0o600))
            self._identity = identity_of(self.descriptor)
        except OSError as error:
            raise RingUnavailable(path, error.strerror or str(error)) from error
        self.path = path

    def take(self) -> WrittenStacks | None:
        """Return what was written since the last call, and make room for more; 1 µs for nothing.

        Returns:
            None: the descriptor is another file's by now, as daemons close what they do not know.
        """
        try:
            status = posix.fstat(self.descriptor)
        except OSError:
            return None
        if (status.st_dev, status.st_ino) != self._identity:
            return None
        if not status.st_size:
            return _NOTHING
        found = _read(self.descriptor)
        os.truncate(self.descriptor, 0)
        return found

    def close(self, *, unlink: bool) -> None:
        """Close it, and remove it when asked to."""
        with contextlib.suppress(OSError):
            if identity_of(self.descriptor) == self._identity:
                posix.close(self.descriptor)
        if unlink:
            with contextlib.suppress(OSError):
                posix.unlink(self.path)
