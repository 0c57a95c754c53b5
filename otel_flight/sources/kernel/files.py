"""Read the small files in which Linux tells about a process and its control groups.

They are opened each time, which costs some microseconds: a descriptor that is kept could be closed
by `stop` and be another file by the time the ticker reads it.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

from otel_flight.ground.native import posix

_CHUNK_BYTES: Final = 65536
_MOST_CHUNKS: Final = 64


def read_text(path: str) -> str:
    """Return what a file says; empty when it is not there or may not be read. Never raises."""
    try:
        descriptor = posix.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError):
        return ""
    try:
        chunks: list[bytes] = []
        while len(chunks) < _MOST_CHUNKS and (chunk := posix.read(descriptor, _CHUNK_BYTES)):
            chunks.append(chunk)
        return b"".join(chunks).decode("utf-8", "replace")
    except OSError:  # pressure files of a kernel that was told not to measure it
        return ""
    finally:
        with contextlib.suppress(OSError):  # a daemon that closes whatever it does not know
            posix.close(descriptor)


def read_number(path: str) -> int | None:
    """Return the number a file holds; None when it holds none, such as `max`."""
    return number_in(read_text(path))


def read_numbers(path: str) -> dict[str, int]:
    """Return the numbers of a file with lines of `name number`, by name."""
    found = {}
    for line in read_text(path).splitlines():
        name, _, text = line.partition(" ")
        number = number_in(text)
        if number is not None:
            found[name] = number
    return found


def number_in(text: str) -> int | None:
    """Return a text as a whole number; None when it is none."""
    try:
        return int(text)
    except ValueError:
        return None
