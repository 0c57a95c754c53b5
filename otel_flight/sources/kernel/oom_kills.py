"""How often the kernel killed a process of this container because memory ran out."""

from __future__ import annotations

from typing import Final

from otel_flight.sources.kernel.control_group import find_control_group
from otel_flight.sources.kernel.files import read_numbers

_FILES: Final = {1: "memory.oom_control", 2: "memory.events"}
_COUNT: Final = "oom_kill"


def oom_counter(proc: str = "/proc") -> str:
    """Return the file that counts for this process; empty when there is none.

    Where the group is the machine as a whole, or its kernel does not count, that is the machine's.
    """
    group = find_control_group("memory", proc)
    own = f"{group.levels[0]}/{_FILES[group.version]}" if group and group.levels else ""
    for file in (own, f"{proc}/vmstat"):
        if file and oom_kills(file) is not None:
            return file
    return ""


def oom_kills(counter: str) -> int | None:
    """Return how often it was so far; None when it cannot be read any more."""
    return read_numbers(counter).get(_COUNT)
