"""How much memory the container holds, and how much it may: its control group's account.

What counts against the limit includes file cache, which the kernel takes back when it needs room. A
service that reads and writes files sits at its limit all the time and is well, so the cache is left
out of what is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.sources.kernel.control_group import ControlGroup, find_control_group
from otel_flight.sources.kernel.files import read_number, read_numbers

_UNLIMITED: Final = 1 << 60
"""Version 1 says `no limit` by a number near 2**63; what is above this counts as one."""
_LOOK_AGAIN: Final = 30
"""Limits are read again after so many readings: they can be changed while a container runs."""
_CACHE: Final = {
    1: ("total_active_file", "total_inactive_file"),
    2: ("active_file", "inactive_file", "slab_reclaimable"),
}
_USAGE: Final = {1: "memory.usage_in_bytes", 2: "memory.current"}
_LIMIT: Final = {1: "memory.limit_in_bytes", 2: "memory.max"}


@dataclass(frozen=True)
class ContainerMemory:
    """Bytes of one moment.

    Attributes:
        usage: all that the group accounts for.
        held: what of it cannot be taken back as file cache.
        limit: None: there is none.
    """

    usage: int
    held: int
    limit: int | None


class MemoryLimit:
    """The account of the level that is closest to its limit, else of the innermost one.

    Args:
        proc: where the process file system is mounted.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._group: ControlGroup | None = None
        self._limited: tuple[str, ...] = ()
        self._readings = 0

    def read(self) -> ContainerMemory | None:
        """Return what is held now; None when the kernel does not tell."""
        if self._readings % _LOOK_AGAIN == 0:
            self._look()
        self._readings += 1
        group = self._group
        if group is None or not group.levels:
            return None
        levels = self._limited or group.levels[:1]
        found = [each for level in levels if (each := _account(group.version, level)) is not None]
        return max(found, key=lambda each: each.held / (each.limit or _UNLIMITED), default=None)

    def _look(self) -> None:
        self._group = find_control_group("memory", self._proc)
        if self._group is not None:
            self._limited = tuple(
                level
                for level in self._group.levels
                if _limit(self._group.version, level) is not None
            )


def _account(version: int, level: str) -> ContainerMemory | None:
    usage = read_number(f"{level}/{_USAGE[version]}")
    if usage is None:
        return None
    stat = read_numbers(f"{level}/memory.stat")
    cache = sum(stat.get(name, 0) for name in _CACHE[version])
    return ContainerMemory(usage, max(0, usage - cache), _limit(version, level))


def _limit(version: int, level: str) -> int | None:
    limit = read_number(f"{level}/{_LIMIT[version]}")
    return None if limit is None or limit >= _UNLIMITED or limit <= 0 else limit
