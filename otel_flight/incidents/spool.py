"""The bounded directory of incidents on disk.

An incident leaves it only when room is needed: delivered ones go first, oldest first, then the
others, and every eviction of an undelivered one is counted. Beside `<name>.flight` stand
`<name>.state` (how far its delivery is), `<name>.logs.state` (how far that of its log records is)
and, where no endpoint is configured, `<name>.otlp.json`.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import os
import re
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from otel_flight.errors import AmbiguousIncident, IncidentNotFound
from otel_flight.incidents.flight_file import FLIGHT_SUFFIX, write_file
from otel_flight.incidents.incident import Incident

_STATE_SUFFIX: Final = ".state"
_LOGS_STATE_SUFFIX: Final = ".logs.state"
_JSON_SUFFIX: Final = ".otlp.json"
_SUFFIXES: Final = (FLIGHT_SUFFIX, _STATE_SUFFIX, _LOGS_STATE_SUFFIX, _JSON_SUFFIX)
_PART_MAX_AGE_SECONDS: Final = 3600


class DeliveryState(msgspec.Struct, frozen=True):
    """How far the delivery of an incident is; that of its log records has records for spans."""

    delivered: bool = False
    chunking: str = msgspec.field(default="", name="division")
    """What put it into chunks: a release and its limits."""
    chunks: int = 0
    """Chunks dealt with so far, in an order that the file alone decides."""
    chunk_spans: int = 0
    """Spans dealt with of the next chunk, where the receiver did not take it as a whole."""
    chunk_length: int = 0
    """Spans in that chunk; with other settings it may have others, and is begun again."""
    attempts: int = 0
    last_error: str = ""
    may_have_arrived: bool = msgspec.field(default=False, name="is_in_doubt")
    """Whether there is a request that no answer is known of: it is on its way, or lost."""
    resent_chunks: int = 0
    """Requests sent again that may have arrived the first time."""
    has_taken: bool = False
    """Whether the receiver has taken any of it."""
    refusals: int = 0
    """How often in a row the receiver did not take what is in the next chunk."""
    undeliverable_spans: int = 0
    """Spans that the receiver does not take, however they are sent."""
    undeliverable_reason: str = ""
    endpoint: str = ""
    """Where it went, or is going."""


@dataclass(frozen=True)
class SpoolEntry:
    """An incident file of the spool."""

    path: Path
    incident_id: str
    bytes: int
    written_ns: int
    state: DeliveryState


def default_spool_directory() -> Path:
    """Return where incidents are kept when no setting names a directory."""
    state = os.environ.get("XDG_STATE_HOME")
    try:
        base = Path(state) if state else Path.home() / ".local" / "state"
    except RuntimeError:  # a user without a home, as in a bare container
        base = Path(tempfile.gettempdir()) / f"otel-flight-{os.geteuid()}"
    return base / "otel-flight" / "spool"


class Spool:
    """Incidents in `directory`, at most `max_incidents` of them and `max_bytes` in all.

    Any number of processes may share one. Nothing here is for application threads: it does I/O.
    """

    def __init__(self, directory: Path, max_bytes: int, max_incidents: int) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._max_incidents = max_incidents
        self._state_suffix = _STATE_SUFFIX
        self.evicted_delivered = 0
        self.evicted_undelivered = 0
        # More than these are never in the spool. Not by the files' times: those lag behind the
        # system's clock by up to 10 ms, and the clock may jump.
        self._added_ids: deque[str] = deque(maxlen=max(1, max_incidents))

    def of_logs(self) -> Spool:
        """Return the same spool, with how far the delivery of the log records is for its states."""
        spool = copy.copy(self)
        spool._state_suffix = _LOGS_STATE_SUFFIX
        return spool

    def add(self, incident: Incident) -> SpoolEntry:
        """Write an incident, then make room by evicting older ones.

        Raises:
            OSError: it could not be written.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        service = re.sub(r"[^A-Za-z0-9._-]+", "_", incident.manifest.service_name)[:80] or "service"
        path = self.directory / f"{incident.manifest.incident_id}-{service}{FLIGHT_SUFFIX}"
        write_file(incident, path)
        self._added_ids.append(incident.manifest.incident_id)
        self._make_room(keep=path)
        return self._entry(path)

    def has_added(self, entry: SpoolEntry) -> bool:
        """Tell whether this object wrote an incident, and not an earlier or a sibling process."""
        return entry.incident_id in self._added_ids

    def entries(self) -> list[SpoolEntry]:
        """Return what is in the spool, oldest first."""
        found = []
        for path in self._files(FLIGHT_SUFFIX):
            with contextlib.suppress(FileNotFoundError):  # evicted by another process
                found.append(self._entry(path))
        return sorted(found, key=lambda entry: entry.incident_id)

    def find(self, id_or_prefix: str) -> SpoolEntry:
        """Return the incident with this id, or the only one whose id begins so.

        Raises:
            IncidentNotFound: there is none.
            AmbiguousIncident: several ids begin so.
        """
        entries = self.entries()
        matches = [entry for entry in entries if entry.incident_id.startswith(id_or_prefix)]
        exact = [entry for entry in matches if entry.incident_id == id_or_prefix]
        if exact or len(matches) == 1:
            return (exact or matches)[0]
        if not matches:
            raise IncidentNotFound(id_or_prefix, self.directory)
        raise AmbiguousIncident(id_or_prefix, [entry.incident_id for entry in matches])

    def json_path(self, entry: SpoolEntry) -> Path:
        """Return where the OTLP-JSON copy of an incident is, or would be."""
        return entry.path.with_suffix(_JSON_SUFFIX)

    def state_of(self, entry: SpoolEntry) -> DeliveryState:
        """Return how far the delivery of an incident is that any spool object has found."""
        return _state(entry.path.with_suffix(self._state_suffix))

    def save_state(self, entry: SpoolEntry, state: DeliveryState) -> None:
        """Remember how far a delivery is; whole or not at all."""
        path = entry.path.with_suffix(self._state_suffix)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        temporary.write_bytes(msgspec.json.encode(state))
        temporary.replace(path)

    @contextlib.contextmanager
    def claim(self, entry: SpoolEntry) -> Iterator[bool]:
        """Hold an incident while delivering it; yields False when another process holds it."""
        try:
            descriptor = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield False
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield False
            return
        try:
            yield True
        finally:
            os.close(descriptor)

    def _make_room(self, keep: Path) -> None:
        self._remove_stale_parts()
        entries = [entry for entry in self.entries() if entry.path != keep]
        kept_bytes = keep.stat().st_size + sum(_bytes_with_copies(entry.path) for entry in entries)
        kept = len(entries) + 1
        for entry in sorted(entries, key=lambda entry: not entry.state.delivered):
            if kept <= self._max_incidents and kept_bytes <= self._max_bytes:
                return
            kept -= 1
            kept_bytes -= _bytes_with_copies(entry.path)
            self._evict(entry)

    def _evict(self, entry: SpoolEntry) -> None:
        if entry.state.delivered:
            self.evicted_delivered += 1
        else:
            self.evicted_undelivered += 1
        for suffix in _SUFFIXES:
            entry.path.with_suffix(suffix).unlink(missing_ok=True)

    def _remove_stale_parts(self) -> None:
        """Remove what a process killed in the middle of writing left behind."""
        newest = max((path.stat().st_mtime for path in self._files(FLIGHT_SUFFIX)), default=0.0)
        for path in self._files(".part"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < newest - _PART_MAX_AGE_SECONDS:
                    path.unlink()

    def _entry(self, path: Path) -> SpoolEntry:
        status = path.stat()
        incident_id = "-".join(path.name.split("-")[:3])
        state = _state(path.with_suffix(self._state_suffix))
        return SpoolEntry(path, incident_id, status.st_size, status.st_mtime_ns, state)

    def _files(self, suffix: str) -> list[Path]:
        try:
            return [path for path in self.directory.iterdir() if path.name.endswith(suffix)]
        except FileNotFoundError:
            return []


def _state(path: Path) -> DeliveryState:
    try:
        data = path.read_bytes()
        return msgspec.json.decode(data, type=DeliveryState)
    except (OSError, msgspec.MsgspecError):  # none yet, or unreadable: delivered again, not lost
        return DeliveryState()


def _bytes_with_copies(path: Path) -> int:
    total = 0
    for suffix in _SUFFIXES:
        with contextlib.suppress(FileNotFoundError):
            total += path.with_suffix(suffix).stat().st_size
    return total
