"""Incidents as files of one directory, which any number of processes may share.

Beside `<name>.flight` stand `<name>.state` (how far its delivery is), `<name>.logs.state` and
`<name>.profiles.state` (how far that of its log records and its profiles is), `<name>.notify.json`
(what is still to be told of it) and, where no endpoint is configured, `<name>.otlp.json`. A file
that turned out to be damaged is `<name>.damaged`: nobody tries to deliver it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from otel_flight.errors import SpoolUnavailable
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import (
    PART_SUFFIX,
    lock_directory,
    open_directory,
    open_file,
    own_name,
    whole_file,
    write_test,
)
from otel_flight.incidents.flight_file import FLIGHT_SUFFIX
from otel_flight.incidents.spool.delivery_state import DeliveryState, read_state

STATE_SUFFIX: Final = ".state"
LOGS_STATE_SUFFIX: Final = ".logs.state"
PROFILES_STATE_SUFFIX: Final = ".profiles.state"
STATE_SUFFIXES: Final = (LOGS_STATE_SUFFIX, PROFILES_STATE_SUFFIX, STATE_SUFFIX)
"""What ends with the last ends with one of the others, or is of the spans."""
JSON_SUFFIX: Final = ".otlp.json"
DAMAGED_SUFFIX: Final = ".damaged"
NOTIFICATION_SUFFIX: Final = ".notify.json"
_BESIDE: Final = (*STATE_SUFFIXES, JSON_SUFFIX, NOTIFICATION_SUFFIX)
_SUFFIXES: Final = (FLIGHT_SUFFIX, DAMAGED_SUFFIX, *_BESIDE)
_PART_MAX_AGE_SECONDS: Final = 3600


@dataclass(frozen=True)
class SpoolEntry:
    """An incident of the spool.

    Attributes:
        path: its file; of one that is in memory only, where it would be.
        incident_id: its id.
        bytes: the size of the file.
        written_ns: when that was written.
        state: how far its delivery is.
        is_in_memory: whether there is no such file, as it could not be written.
    """

    path: Path
    incident_id: str
    bytes: int
    written_ns: int
    state: DeliveryState
    is_in_memory: bool = False

    @property
    def is_damaged(self) -> bool:
        """Whether it was set aside, as it cannot be read."""
        return self.path.suffix == DAMAGED_SUFFIX


class SpoolDirectory:
    """A directory of incidents, at most `max_incidents` of them and `max_bytes` in all.

    An incident leaves it only when room is needed: damaged ones go first, then delivered ones, then
    the others, oldest first. Every eviction of an undelivered one is counted.
    """

    def __init__(self, path: Path, max_bytes: int, max_incidents: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._max_incidents = max_incidents
        self.evicted_delivered = 0
        self.evicted_undelivered = 0

    def check(self) -> None:
        """Make the directory if it is missing, and see whether incidents can be kept in it.

        Raises:
            SpoolUnavailable: they cannot.
        """
        if self.path.parent.name == own_name():  # in a place that others may write to
            posix.close(open_directory(self.path.parent, SpoolUnavailable))
        posix.close(open_directory(self.path, SpoolUnavailable))
        try:
            write_test(self.path)
        except OSError as error:
            raise SpoolUnavailable(self.path, error.strerror or str(error)) from error

    def add(self, name: str, write: Callable[[BinaryIO], object]) -> Path:
        """Write an incident, then make room by evicting older ones.

        Args:
            name: of its file.
            write: writes it to a stream.

        Raises:
            OSError: it could not be written.
        """
        path = self.path / name
        descriptor = open_directory(self.path, SpoolUnavailable)
        try:
            with whole_file(path, is_synced=True) as stream:
                write(stream)
        finally:
            posix.close(descriptor)
        self.make_room(keep=path)
        return path

    def make_room(self, keep: Path | None = None) -> None:
        """Evict what is too much, whoever has written it.

        Args:
            keep: this one stays in any case.

        Raises:
            SpoolUnavailable: the directory is not safe, or gone.
        """
        descriptor = open_directory(self.path, SpoolUnavailable)
        try:
            # Two that make room at the same moment would each evict the other's. Where another one
            # holds the lock for long, it is done without.
            lock_directory(descriptor)
            self._make_room(keep)
        finally:
            posix.close(descriptor)

    def entries(self, state_suffix: str, *, with_damaged: bool = False) -> list[SpoolEntry]:
        """Return what is in the directory, oldest first.

        Args:
            state_suffix: of the files that say how far the delivery is.
            with_damaged: also what was set aside.
        """
        suffixes = (FLIGHT_SUFFIX, DAMAGED_SUFFIX) if with_damaged else (FLIGHT_SUFFIX,)
        found = []
        for path in self._files(*suffixes):
            with contextlib.suppress(OSError):  # evicted by another process
                found.append(_entry(path, path.stat(), state_suffix))
        return sorted(found, key=lambda entry: entry.incident_id)

    def entry(self, path: Path, state_suffix: str) -> SpoolEntry:
        """Return an incident of the directory, also where it was evicted just now."""
        try:
            return _entry(path, path.stat(), state_suffix)
        except OSError:
            return SpoolEntry(path, _id_of(path), 0, 0, DeliveryState())

    def set_aside(self, entry: SpoolEntry) -> Path:
        """Let an incident that cannot be read hold up nobody; return what it is called now."""
        path = entry.path.with_suffix(DAMAGED_SUFFIX)
        with contextlib.suppress(OSError):  # evicted by another process, or set aside
            posix.replace(entry.path, path)
        return path

    def remove_older(self, before_ns: int) -> int:
        """Remove what was written before a moment; return how many were not delivered.

        Raises:
            SpoolUnavailable: the directory is not safe, or gone.
        """
        descriptor = open_directory(self.path, SpoolUnavailable)
        try:
            lock_directory(descriptor)
            evicted = self.evicted_undelivered
            for entry in self.entries(STATE_SUFFIX, with_damaged=True):
                if entry.written_ns < before_ns:
                    self._evict(entry)
            for path in self._files(PART_SUFFIX, *_BESIDE):
                if _modified(path) * 1e9 < before_ns and not self._is_beside_incident(path):
                    _remove(path)
        finally:
            posix.close(descriptor)
        return self.evicted_undelivered - evicted

    def _is_beside_incident(self, path: Path) -> bool:
        """Return whether a file says something of an incident that is there."""
        suffix = next(filter(path.name.endswith, _BESIDE), PART_SUFFIX)
        stem = path.name.removesuffix(suffix)
        return any((self.path / (stem + each)).exists() for each in (FLIGHT_SUFFIX, DAMAGED_SUFFIX))

    def _make_room(self, keep: Path | None) -> None:
        self._remove_stale_parts()
        entries = self.entries(STATE_SUFFIX, with_damaged=True)
        sizes = {entry.path: _bytes_with_copies(entry.path) for entry in entries}
        kept, kept_bytes = len(entries), sum(sizes.values())
        entries.sort(key=lambda entry: (not entry.is_damaged, not entry.state.delivered))  # stable
        for entry in entries:
            if kept <= self._max_incidents and kept_bytes <= self._max_bytes:
                return
            if entry.path != keep:
                kept -= 1
                kept_bytes -= sizes[entry.path]
                self._evict(entry)

    def _evict(self, entry: SpoolEntry) -> None:
        if entry.state.delivered:
            self.evicted_delivered += 1
        else:
            self.evicted_undelivered += 1
        for suffix in _SUFFIXES:
            _remove(entry.path.with_suffix(suffix))

    def _remove_stale_parts(self) -> None:
        """Remove what a process killed in the middle of writing left behind."""
        newest = max(map(_modified, self._files(FLIGHT_SUFFIX)), default=0.0)
        for path in self._files(PART_SUFFIX):
            if _modified(path) < newest - _PART_MAX_AGE_SECONDS:
                _remove(path)

    def _files(self, *suffixes: str) -> list[Path]:
        try:
            return [path for path in self.path.iterdir() if path.name.endswith(suffixes)]
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold a file; yields False when another process holds it, or has evicted it."""
    try:
        descriptor = open_file(path)
    except OSError:  # evicted, or not ours
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = True
        except BlockingIOError:
            is_ours = False
        except OSError:  # a file system without locks: rather delivered twice than never
            is_ours = True
        yield is_ours
    finally:
        posix.close(descriptor)


def _entry(path: Path, status: os.stat_result, state_suffix: str) -> SpoolEntry:
    state = read_state(path.with_suffix(state_suffix))
    return SpoolEntry(path, _id_of(path), status.st_size, status.st_mtime_ns, state)


def _id_of(path: Path) -> str:
    return "-".join(path.name.split("-")[:3])


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # by another process, or not ours
        path.unlink()


def _bytes_with_copies(path: Path) -> int:
    return sum(map(_size, map(path.with_suffix, _SUFFIXES)))


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _modified(path: Path) -> float:
    with contextlib.suppress(OSError):  # evicted by another process
        return path.stat().st_mtime
    return 0.0
