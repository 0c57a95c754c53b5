"""Directories and files of our own, in places that others may write to: nobody can plant a link.

What does not work: a name that can be guessed, opened as it is (through a link that waits there, it
empties another file of ours); trusting the umask, which some daemons set to 0; a directory that was
there before us, and belongs to someone else or is open to all.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Final, Protocol

from otel_flight.ground.native import geteuid, posix, sleep

PART_SUFFIX: Final = ".part"
"""A file has a name of its own with this end until it is whole."""
_FAKE: Final = "the program has put another file system in its place"
_TRIES: Final = 100
_BETWEEN_TRIES_SECONDS: Final = 0.01
"""The lock of a directory is tried so often, and in between for so many seconds not."""


def is_file_system_fake() -> bool:
    """Return whether a test has put a file system of its own in the place of the machine's.

    Nothing of ours belongs there. pyfakefs replaces `os` in each module, but not all that works
    with descriptors: its numbers may be those of the program's real files.
    """
    return type(os) is not ModuleType


class Unavailable(Protocol):
    """An error that says of a path why it cannot be used."""

    def __call__(self, path: Path, why: str) -> OSError:
        """Return the error."""
        ...


def own_name() -> str:
    """Return what a directory of ours is called where others have theirs beside it."""
    return f"otel-flight-{geteuid()}"


def with_own_below(named: Path) -> list[Path]:
    """Return a directory that was named, and what to use where it belongs to someone else.

    In a volume that is root's, say, that is a subdirectory of ours. There is none below a symbolic
    link: it may lead anywhere.
    """
    return [named] if named.is_symlink() else [named, named / own_name()]


def temporary_directories() -> list[Path]:
    """Return our directory below the temporary one; none where there is no such."""
    with contextlib.suppress(OSError):  # a read-only container may have none
        return [Path(tempfile.gettempdir()) / own_name()]
    return []


def open_directory(path: Path, error: Unavailable) -> int:
    """Return a descriptor of `path`, made if missing, that nobody but us can enter or replace.

    Args:
        path: the directory.
        error: raised when it is a symbolic link, not ours, open to others, or cannot be made.
    """
    if is_file_system_fake():
        raise error(path, _FAKE)
    try:
        _make(path)
        descriptor: int = posix.open(
            path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        )
    except OSError as raised:
        raise error(path, raised.strerror or str(raised)) from raised
    except ValueError as raised:  # a name with a zero byte
        raise error(path, str(raised)) from raised
    if problem := _problem_of(posix.fstat(descriptor)):
        posix.close(descriptor)
        raise error(path, problem)
    return descriptor


def open_file(path: Path | str, flags: int = os.O_RDONLY) -> int:
    """Return a descriptor of a regular file of ours; root's processes may open those of others.

    Never blocks, whatever has that name.

    Raises:
        OSError: it cannot be opened, is a link or no regular file, or belongs to someone else.
    """
    descriptor: int = posix.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    status = posix.fstat(descriptor)
    problem = "" if stat.S_ISREG(status.st_mode) else "it is not a regular file"
    if geteuid() not in (status.st_uid, 0):
        problem = f"it belongs to user {status.st_uid}"
    if problem:
        posix.close(descriptor)
        raise PermissionError(errno.EACCES, problem, os.fspath(path))
    return descriptor


def directory_problem(path: Path) -> str:
    """Return why `open_directory` would refuse a path, or nothing could be written into it.

    What is missing is not made: it is tried whether anything can be, where it would be.

    Returns:
        Empty: all is well, as far as can be told.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                return "it is a symbolic link"
            if problem := _problem_of(status):
                return problem
        write_test(next(each for each in (path, *path.parents) if os.path.lexists(each)))
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def write_test(directory: Path) -> None:
    """Make a file in a directory and take it away again.

    Raises:
        OSError: that is not possible: the file system is full or read-only, say.
    """
    descriptor, name = _unnamed_file(directory)
    posix.close(descriptor)
    posix.unlink(name)


@contextlib.contextmanager
def whole_file(path: Path, *, is_synced: bool = False) -> Iterator[BinaryIO]:
    """Write a file that only we may read, and that has its old or its whole new content.

    Whatever has its name so far is replaced, not written through.

    Args:
        path: the file.
        is_synced: whether its content is on the disk before its name is there.

    Raises:
        OSError: it could not be written; nothing is left behind.
    """
    if is_file_system_fake():
        raise OSError(errno.EROFS, _FAKE)
    descriptor, temporary = _unnamed_file(path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            if is_synced:
                posix.fsync(stream.fileno())
        posix.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            posix.unlink(temporary)
        raise


def _unnamed_file(directory: Path) -> tuple[int, str]:
    """Return descriptor and path of a new file, whose name nobody can guess."""
    name = str(directory / f".{posix.urandom(8).hex()}{PART_SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return posix.open(name, flags, 0o600), name


def lock_directory(descriptor: int) -> bool:
    """Keep other processes of ours from doing the same in a directory, until it is closed.

    Blocks for up to a second.

    Returns:
        Whether that is so; False where another one does not let go. Where the file system has no
        locks it is taken to be so.
    """
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(_BETWEEN_TRIES_SECONDS)
        except OSError:
            return True
        else:
            return True
    return False


def _make(path: Path) -> None:
    """Make a directory, and those above it that are missing, closed to others."""
    missing = [path]
    while not missing[-1].parent.is_dir() and missing[-1].parent != missing[-1]:
        missing.append(missing[-1].parent)
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):
            each.mkdir(mode=0o700)


def _problem_of(status: os.stat_result) -> str:
    if status.st_uid != geteuid():
        return f"it belongs to user {status.st_uid}"
    if stat.S_IMODE(status.st_mode) & 0o022:
        return f"others may write to it (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""
