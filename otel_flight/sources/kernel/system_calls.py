"""The system call that a thread stands still in, and on which file, as Linux tells.

A native call says nothing of what it waits for: a file on a slow disk, a pipe that nobody reads, a
lock that another process has. The kernel knows it of each thread that is in one of its calls, and
does not run. Who waits for the GIL, or for a lock in memory, is in `futex`: that says nothing.
"""

from __future__ import annotations

import os
import platform
import re
from typing import Final, NamedTuple

from otel_flight.ground.native import getpid
from otel_flight.names import wait_kinds
from otel_flight.sources.kernel.files import read_text

_MACHINES: Final = {"x86_64": 0, "aarch64": 1}
_OF_FILE: Final = {
    "read of": ((0, 17, 19, 295), (63, 67, 65, 69)),
    "write to": ((1, 18, 20, 40, 296), (64, 68, 66, 70, 71)),
    "fsync of": ((74, 75), (82, 83)),
    "change in size of": ((77, 285), (46, 47)),
    "list of": ((217,), (61,)),
    "": ((42, 43, 44, 45, 46, 47, 288), (202, 203, 206, 207, 211, 212, 242)),
}
"""The calls whose first argument is a descriptor, by what they do, on each of the machines; those
without words are of sockets."""
_FLOCK: Final = (73, 32)
_FCNTL: Final = (72, 25)
_WAITING_COMMANDS: Final = frozenset({7, 38})
"""With these, `F_SETLKW` and `F_OFD_SETLKW`, `fcntl` waits for a lock."""
_OTHERS: Final = {
    wait_kinds.FILE: (
        (2, 4, 6, 21, 82, 83, 84, 87, 257, 258, 262, 263, 264, 316, 332, 437),
        (34, 35, 38, 48, 56, 79, 276, 291, 437),
    ),
    wait_kinds.SLEEP: ((35, 230), (101, 115)),
    wait_kinds.PROCESS: ((61, 247), (95, 260)),
    wait_kinds.NETWORK: ((7, 23, 232, 270, 271, 281), (22, 72, 73)),
}
"""The calls that are told without a descriptor; those that wait for several are of the network."""
_OF_DATABASE: Final = re.compile(r"\.(?:execute\w*|commit|rollback|backup)$")
"""A database within the process sleeps in these between its attempts at a file that is locked."""
_STANDARD: Final = {1: "standard output", 2: "standard error"}
_INODE: Final = re.compile(r"^ino:\s*(\d+)$", re.MULTILINE)
_HELD: Final = re.compile(r"^\d+: (FLOCK|POSIX|OFDLCK) .* (-?\d+) \S+:(\d+) \S+ \S+$", re.MULTILINE)
"""A line of `/proc/locks` about a lock that is held; of those who wait for it there are others."""


class Blocked(NamedTuple):
    """What a thread stands still in.

    Attributes:
        kind: what it waits for, in a word.
        text: more about it: what it does with which file; empty when that says no more.
    """

    kind: str
    text: str


def blocked_in(native_id: int, call: str, proc: str = "/proc") -> Blocked | None:
    """Return what a thread of this process stands still in; None: it runs, or it is not known.

    Reads a file of the kernel in 7 µs, another one for the file that it is about; of a file lock
    some more. No file system is asked that could hang itself.

    Args:
        native_id: the kernel's number of the thread.
        call: the native function that it is in, as the program names it; empty: not known.
        proc: where the process file system is mounted.
    """
    machine = _MACHINES.get(platform.machine())
    first, *words = read_text(f"{proc}/self/task/{native_id}/syscall").split() or ("",)
    if machine is None or not first.isdecimal():
        return None
    number = int(first)
    for kind, numbers in _OTHERS.items():
        if number in numbers[machine]:
            is_of_database = kind == wait_kinds.SLEEP and _OF_DATABASE.search(call) is not None
            return Blocked(wait_kinds.DATABASE_LOCK if is_of_database else kind, "")
    arguments = [int(word, 16) for word in words]
    if number == _FLOCK[machine] or (
        number == _FCNTL[machine] and arguments[1] in _WAITING_COMMANDS
    ):
        return _file_lock(arguments[0], proc)
    for does, numbers in _OF_FILE.items():
        if number in numbers[machine]:
            return _of_file(arguments[0], does, proc)
    return None


def _of_file(descriptor: int, does: str, proc: str) -> Blocked | None:
    target = _target_of(descriptor, proc)
    if target.startswith("socket:"):
        return Blocked(wait_kinds.NETWORK, "")
    if target.startswith("pipe:"):
        name = _STANDARD.get(descriptor)
        return Blocked(wait_kinds.PIPE, f"{does} {name}" if name else does.split(maxsplit=1)[0])
    return Blocked(wait_kinds.FILE, f"{does} {target}") if target.startswith("/") else None


def _target_of(descriptor: int, proc: str) -> str:
    try:
        return os.readlink(f"{proc}/self/fd/{descriptor}")  # noqa: PTH115 - in a third of the time
    except (OSError, ValueError):  # it was closed just then
        return ""


def _file_lock(descriptor: int, proc: str) -> Blocked:
    target = _target_of(descriptor, proc)
    inode = _INODE.search(read_text(f"{proc}/self/fdinfo/{descriptor}"))
    held = _HELD.findall(read_text(f"{proc}/locks")) if inode is not None else ()
    holders = {int(pid) for _, pid, number in held if inode is not None and number == inode[1]}
    return Blocked(wait_kinds.FILE_LOCK, f"{target}{_held_by(holders, proc)}")


def _held_by(holders: set[int], proc: str) -> str:
    """Say which process has a lock, if it is one; of other containers the kernel shows none."""
    if len(holders) != 1 or (pid := holders.pop()) <= 0:
        return ""
    if pid == getpid():
        return ", held by this process itself"
    name = read_text(f"{proc}/{pid}/comm").strip()
    return f", held by process {pid}{f' ({name})' if name else ''}"
