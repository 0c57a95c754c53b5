"""The incidents of a process: on disk, and for want of that in memory, until they are delivered.

A service that may not write to its disk is the usual hardening, and a full disk is the usual
mishap: neither may cost an incident while there is a backend that takes it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from otel_flight.errors import AmbiguousIncident, IncidentNotFound
from otel_flight.ground.clock import SYSTEM_CLOCK, Clock, wall_ns
from otel_flight.incidents.flight_file import (
    FLIGHT_SUFFIX,
    read_incident,
    read_incident_bytes,
    write_stream,
)
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.delivery_state import DeliveryState, read_state, write_state
from otel_flight.incidents.spool.directory import (
    JSON_SUFFIX,
    STATE_SUFFIX,
    STATE_SUFFIXES,
    SpoolEntry,
    claimed,
)
from otel_flight.incidents.spool.memory_shelf import KeptIncident, MemoryShelf
from otel_flight.incidents.spool.place import SpoolPlace

_MOST_UNSAVED: Final = 1024
"""At most so many states that could not be written are remembered."""


class Spool:
    """Incidents in a directory, at most `max_incidents` of them and `max_bytes` in all.

    Any number of processes may share a directory. Nothing here is for application threads: it does
    I/O.

    Args:
        directory: where incidents are kept.
        max_bytes: of all files together.
        max_incidents: of all processes together.
        fallbacks: where they are kept if not there, best first.
        clock: a fake one in tests.
    """

    def __init__(
        self,
        directory: Path,
        max_bytes: int,
        max_incidents: int,
        fallbacks: Sequence[Path] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._place = SpoolPlace([directory, *fallbacks], max_bytes, max_incidents, clock)
        self._shelf = MemoryShelf()
        self._state_suffix = STATE_SUFFIX
        self._unsaved: dict[Path, DeliveryState] = {}
        # More than these are never in the spool. Not by the files' times: those lag behind the
        # system's clock by up to 10 ms, and the clock may jump.
        self._delivered: deque[str] = deque(maxlen=_MOST_UNSAVED)
        self._added_ids: deque[str] = deque(maxlen=max(1, max_incidents))

    @property
    def directory(self) -> Path:
        """Where incidents are kept, or would be if that were possible. Any thread."""
        return self._place.directory.path

    @property
    def problem(self) -> str:
        """What is not as it was asked for, as a sentence; empty: all is well. Any thread."""
        return self._place.problem

    @property
    def in_memory(self) -> int:
        """How many incidents are in memory only, as they could not be written. Any thread."""
        return len(self._shelf)

    @property
    def evicted_delivered(self) -> int:
        """How many delivered incidents this object has evicted."""
        return self._place.directory.evicted_delivered

    @property
    def evicted_undelivered(self) -> int:
        """How many undelivered incidents this object has evicted."""
        return self._place.directory.evicted_undelivered

    def of(self, state_suffix: str) -> Spool:
        """Return the same spool, with how far the delivery of one signal is for its states."""
        spool = copy.copy(self)
        spool._state_suffix = state_suffix
        return spool

    def prepare(self) -> None:
        """Find out where incidents can be kept, and say what stands in the way of better. Once."""
        self._place.prepare()

    def add(self, incident: Incident, is_late: Callable[[], bool] | None = None) -> SpoolEntry:
        """Write an incident, then make room by evicting older ones; if need be, keep it in memory.

        Args:
            incident: the incident.
            is_late: whether there is no time to compress it; see `write_stream`.

        Raises:
            OSError: it could not be written, and enough others are in memory.
        """
        incident_id = incident.manifest.incident_id
        service = re.sub(r"[^A-Za-z0-9._-]+", "_", incident.manifest.service_name)[:80] or "service"
        name = f"{incident_id}-{service}{FLIGHT_SUFFIX}"
        write = partial(write_stream, incident, is_late=is_late)
        try:
            path = self._place.write(name, write)
        except OSError:
            if not self._shelf.has_room():
                raise
            buffer = io.BytesIO()
            manifest = msgspec.structs.replace(incident.manifest, processes=[])
            alone = replace(incident, manifest=manifest, others=())
            write_stream(alone, buffer, is_late=is_late)
            kept = KeptIncident(incident_id, name, buffer.getvalue(), wall_ns())
            self._shelf.keep(kept)
            self._added_ids.append(incident_id)
            return self._entry_of(kept)
        self._added_ids.append(incident_id)
        return self._place.directory.entry(path, self._state_suffix)

    def rescue(self, *, is_last: bool = False) -> float | None:
        """Write what is in memory, if that may be tried again by now.

        Args:
            is_last: whether there will be no other time.

        Returns:
            In how many seconds to try again; None: nothing is in memory.
        """
        for kept in self._shelf.all():
            wait_seconds = self._place.seconds_until_retry()
            if wait_seconds > 0 and not is_last:
                return wait_seconds
            try:
                write = partial(_write_bytes, kept.data)
                path = self._place.write(kept.name, write, is_last=is_last)
                for suffix, state in kept.states.items():
                    write_state(path.with_suffix(suffix), state)
            except OSError:
                return self._place.seconds_until_retry()
            self._shelf.remove(kept)
        return None

    @property
    def has_added_any(self) -> bool:
        """Whether this object wrote an incident."""
        return bool(self._added_ids)

    def has_added(self, entry: SpoolEntry) -> bool:
        """Tell whether this object wrote an incident, and not an earlier or a sibling process."""
        return entry.incident_id in self._added_ids

    def take_delivered(self) -> Iterator[str]:
        """Yield the ids of incidents of this object whose spans were delivered since the last call.

        One other thread may.
        """
        while self._delivered:
            yield self._delivered.popleft()

    def entries(self, *, with_damaged: bool = False) -> list[SpoolEntry]:
        """Return what is in the spool, oldest first.

        Args:
            with_damaged: also what was set aside, as it cannot be read.
        """
        on_disk = self._place.directory.entries(self._state_suffix, with_damaged=with_damaged)
        known = [self._with_unsaved(entry) for entry in on_disk]
        known += map(self._entry_of, self._shelf.all())
        return sorted(known, key=lambda entry: entry.incident_id)

    def find(self, id_or_prefix: str) -> SpoolEntry:
        """Return the incident with this id, or the only one whose id begins so.

        Raises:
            IncidentNotFound: there is none.
            AmbiguousIncident: several ids begin so.
        """
        return find_entry(self.entries(with_damaged=True), id_or_prefix, self.directory)

    def read(self, entry: SpoolEntry) -> Incident:
        """Return an incident.

        Raises:
            DamagedIncident: its bytes are not those of an incident.
            NotAnIncident: it cannot be opened, or was written by a newer version.
        """
        kept = self._shelf.get(entry.incident_id) if entry.is_in_memory else None
        if kept is None:
            return read_incident(entry.path)
        return read_incident_bytes(kept.data, entry.path)

    def json_path(self, entry: SpoolEntry) -> Path:
        """Return where the OTLP-JSON copy of an incident is, or would be."""
        return entry.path.with_suffix(JSON_SUFFIX)

    def state_of(self, entry: SpoolEntry) -> DeliveryState:
        """Return how far the delivery of an incident is that any spool object has found."""
        return read_state(entry.path.with_suffix(self._state_suffix))

    def save_state(self, entry: SpoolEntry, state: DeliveryState) -> None:
        """Remember how far a delivery is; where it cannot be written, until the process ends.

        What was sent by then is sent again by the next one: better than not at all.
        """
        path = entry.path.with_suffix(self._state_suffix)
        if state.delivered and self._state_suffix == STATE_SUFFIX and self.has_added(entry):
            self._delivered.append(entry.incident_id)
        if not entry.is_in_memory:
            try:
                write_state(path, state)
                self._unsaved.pop(path, None)
            except OSError:
                self._unsaved[path] = state
                if len(self._unsaved) > _MOST_UNSAVED:
                    del self._unsaved[next(iter(self._unsaved))]
        elif kept := self._shelf.get(entry.incident_id):
            kept.states[self._state_suffix] = state
            if state.delivered:
                kept.settled.add(self._state_suffix)
                self._forget_settled()

    def settle_in_memory(self) -> None:
        """Note that this signal is sent nowhere: incidents in memory need not wait for it."""
        self._shelf.settle(self._state_suffix)
        self._forget_settled()

    def set_aside(self, entry: SpoolEntry) -> Path:
        """Let an incident that cannot be read hold up nobody; return what it is called now."""
        return self._place.directory.set_aside(entry)

    @contextlib.contextmanager
    def claim(self, entry: SpoolEntry) -> Iterator[bool]:
        """Hold an incident while delivering it; yields False when another process holds it."""
        if entry.is_in_memory:
            yield self._shelf.get(entry.incident_id) is not None
            return
        with claimed(entry.path) as is_ours:
            yield is_ours

    def _entry_of(self, kept: KeptIncident) -> SpoolEntry:
        return SpoolEntry(
            self.directory / kept.name,
            kept.incident_id,
            len(kept.data),
            kept.kept_ns,
            kept.state(self._state_suffix),
            is_in_memory=True,
        )

    def _with_unsaved(self, entry: SpoolEntry) -> SpoolEntry:
        state = self._unsaved.get(entry.path.with_suffix(self._state_suffix))
        return entry if state is None else replace(entry, state=state)

    def _forget_settled(self) -> None:
        for kept in self._shelf.all():
            if kept.settled.issuperset(STATE_SUFFIXES):
                self._shelf.remove(kept)


def find_entry(entries: Sequence[SpoolEntry], id_or_prefix: str, directory: Path) -> SpoolEntry:
    """Return the incident with this id, or the only one whose id begins so.

    Raises:
        IncidentNotFound: there is none; the directory is named.
        AmbiguousIncident: several ids begin so.
    """
    matches = [entry for entry in entries if entry.incident_id.startswith(id_or_prefix)]
    exact = [entry for entry in matches if entry.incident_id == id_or_prefix]
    if exact or len(matches) == 1:
        return (exact or matches)[0]
    if not matches:
        raise IncidentNotFound(id_or_prefix, directory)
    raise AmbiguousIncident(id_or_prefix, [entry.incident_id for entry in matches])


def _write_bytes(data: bytes, stream: BinaryIO) -> None:
    stream.write(data)
