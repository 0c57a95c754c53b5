"""Find the directories of the control groups this process is in: version 2, version 1, or both.

A container sees its own group as the topmost one, or the whole host's hierarchy; a limit may be set
on any level, so all that can be seen are returned.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from otel_flight.sources.kernel.files import read_text

_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class ControlGroup:
    """A group, for one resource.

    Attributes:
        version: of the interface, 1 or 2: names and units of the files differ.
        levels: the group's directory, then those around it, as far as they can be seen.
    """

    version: int
    levels: tuple[str, ...]


def find_control_group(controller: str, proc: str = "/proc") -> ControlGroup | None:
    """Return the group that accounts for a resource; None when there is none, or no Linux.

    Args:
        controller: `cpu` or `memory`.
        proc: where the process file system is mounted.
    """
    paths = dict(_own_paths(f"{proc}/self/cgroup"))
    unified: ControlGroup | None = None
    for kind, options, root, mount_point in _mounts(f"{proc}/self/mountinfo"):
        if kind == "cgroup" and controller in options and controller in paths:
            levels = _levels(mount_point, _below(root, paths[controller]))
            return ControlGroup(1, levels) if levels else None
        if kind == "cgroup2" and "" in paths and unified is None:
            levels = _levels(mount_point, _below(root, paths[""]))
            unified = ControlGroup(2, levels) if levels else None
    return unified


def _own_paths(file: str) -> Iterator[tuple[str, str]]:
    """Yield this process's path in each hierarchy, by controller; version 2 has an empty name."""
    for line in read_text(file).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            yield controller, path


def _mounts(file: str) -> Iterator[tuple[str, frozenset[str], str, str]]:
    """Yield kind, options, root and mount point of each file system of control groups."""
    for line in read_text(file).splitlines():
        before, _, after = line.partition(" - ")
        fields, described = before.split(" "), after.split(" ")
        if len(fields) > 4 and len(described) > 2 and described[0].startswith("cgroup"):
            options = frozenset(described[2].split(","))
            yield described[0], options, _unescaped(fields[3]), _unescaped(fields[4])


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)


def _below(root: str, path: str) -> PurePosixPath:
    """Return a group's path below the one that is mounted; nothing when it is not below it."""
    try:
        below = PurePosixPath(path).relative_to(root)
    except ValueError:
        return PurePosixPath()
    return PurePosixPath() if ".." in below.parts else below


def _levels(mount_point: str, below: PurePosixPath) -> tuple[str, ...]:
    places = [mount_point]
    for part in below.parts:
        places.append(f"{places[-1]}/{part}")
    return tuple(place for place in reversed(places) if os.path.isdir(place))  # noqa: PTH112
