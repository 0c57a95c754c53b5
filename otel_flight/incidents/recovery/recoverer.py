"""Makes incidents of the rings of dead processes, which it removes when these are in the spool."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from otel_flight.errors import NotAnIncident
from otel_flight.ground.clock import ClockPair
from otel_flight.ground.guard import Guard
from otel_flight.incidents.findings.rulebook import Rulebook
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import complete
from otel_flight.incidents.making.open_incident import causes_elsewhere
from otel_flight.incidents.making.sent_unfinished import SentUnfinished
from otel_flight.incidents.making.siblings import Host, SiblingWindows
from otel_flight.incidents.recovery.recovered import DeadProcess
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from otel_flight.ring.dead_rings import claimed_ring, is_replaced
from otel_flight.ring.facts import SERVICE
from otel_flight.ring.reader import RingReader
from otel_flight.ring.siblings import is_named
from otel_flight.triggers.gate.state import JoinedCause


class Recoverer:
    """Makes incidents of dead rings. One thread at a time; blocks for as long as that takes.

    Args:
        spool: where incidents go.
        rulebook: finds in them what there is to find.
        guard: notes what fails.
        window_seconds: how far back an incident reaches.
        admits: says of the death of a process, by what it was serving and when, whether it makes an
            incident.
        joined: returns what has joined an incident in other processes, by its id; then their
            windows are in it, too. None: each process has its own incidents.
        sent: knows which spans were delivered before they ended.
        tell: called with each incident that was kept.
        yield_gil: called now and then, so that the process which does this goes on.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        rulebook: Rulebook,
        guard: Guard,
        window_seconds: float,
        admits: Callable[[str, int], bool] = lambda subject, time_ns: True,
        joined: Callable[[str], Sequence[JoinedCause]] | None = None,
        sent: SentUnfinished | None = None,
        tell: Callable[[Incident, SpoolEntry], None] = lambda incident, entry: None,
        yield_gil: YieldGil = keep_gil,
    ) -> None:
        self._spool = spool
        self._rulebook = rulebook
        self._guard = guard
        self._window_seconds = window_seconds
        self._admits = admits
        self._joined = joined
        self._sent = sent or SentUnfinished(lambda: None)
        self._tell = tell
        self._yield_gil = yield_gil

    def recover(self, path: Path, service: str | None) -> list[SpoolEntry] | None:
        """Finish what a dead ring holds, and remove it.

        Args:
            path: the ring.
            service: only of this service; None: of any.

        Returns:
            The incidents that were kept; None: it is none of ours, or another process has it.

        Raises:
            NotARing: it is none, or is gone.
            OSError: an incident could not be kept; the ring stays, to be claimed again.
        """
        with RingReader(path) as reader:
            header = reader.image.header()
            name = str(header.facts.get(SERVICE, ""))
            if header.is_clean or is_replaced(header) or service not in {None, name}:
                return None
        with claimed_ring(path) as claimed:
            if claimed is None:
                return None
            dead = DeadProcess.of(claimed.image, path, self._yield_gil)
            return self._finish(dead) if dead.unfinished else self._death(dead)

    def _finish(self, dead: DeadProcess) -> list[SpoolEntry]:
        kept = []
        covered: dict[int, int] = {}
        for opened in dead.unfinished:
            entry = self._keep(dead.finished(opened, self._window_seconds, covered), dead)
            if entry is not None:
                kept.append(entry)
            covered = self._end_of(opened.incident_id)
        return kept

    def _end_of(self, incident_id: str) -> dict[int, int]:
        """Return, by lane, the first record after an incident's; whoever has made it."""
        known = self._known().get(incident_id)
        with contextlib.suppress(NotAnIncident):
            incident = None if known is None else self._spool.read(known)
            segments = [] if incident is None else incident.manifest.segments
            ends = [(each.lane, each.first_record + each.records) for each in segments]
            return dict(sorted(ends))  # the last one of each lane
        return {}

    def _known(self) -> dict[str, SpoolEntry]:
        return {entry.incident_id: entry for entry in self._spool.entries()}

    def _death(self, dead: DeadProcess) -> list[SpoolEntry]:
        if not dead.has_recorded:
            return []
        death = dead.death(self._window_seconds)
        cause = death.manifest.causes[0]
        if dead.was_ended(cause) or not self._admits(cause.subject, cause.time_ns):
            return []
        entry = self._keep(death, dead, lambda reader: not reader.is_owner_alive())
        return [] if entry is None else [entry]

    def _keep(
        self,
        incident: Incident,
        dead: DeadProcess,
        is_wanted: Callable[[RingReader], bool] = lambda reader: True,
    ) -> SpoolEntry | None:
        """Put an incident into the spool; return None when it is there.

        Then whoever claimed its ring before died over removing it.

        Args:
            incident: the incident.
            dead: its process.
            is_wanted: says of the ring of another process of the service whether it belongs to it.
        """
        manifest = incident.manifest
        known = self._known()
        if manifest.incident_id in known:
            return None
        before = self._unfinished_in(known.get(manifest.previous_incident_id)) | self._sent.all()
        others = None
        if self._joined is not None and is_named(dead.service):
            others = self._windows_of_others(incident, dead, self._joined, is_wanted)
            incident = replace(incident, manifest=others.manifest, others=others)
        finished = complete(incident, self._rulebook, self._guard, before, self._yield_gil)
        entry = None
        try:
            entry = self._spool.add(finished)
        finally:
            if others is not None and (entry is None or entry.is_in_memory):
                others.give_back()
        self._sent.add(each.record.span_id for each in finished.window.unfinished())
        if others is not None:
            self._sent.add(others.unfinished)
        self._tell(finished, entry)
        return entry

    def _windows_of_others(
        self,
        incident: Incident,
        dead: DeadProcess,
        joined: Callable[[str], Sequence[JoinedCause]],
        is_wanted: Callable[[RingReader], bool],
    ) -> SiblingWindows:
        manifest = incident.manifest
        causes = manifest.causes + causes_elsewhere(joined(manifest.incident_id))
        died = ClockPair(dead.header.heartbeat_wall_ns, dead.header.heartbeat_monotonic_ns)
        return SiblingWindows(
            msgspec.structs.replace(manifest, causes=causes),
            host=Host(dead.path, dead.service, self._spool.directory, is_wanted),
            moment=died,
            until_monotonic_ns=died.monotonic_ns,
            window_seconds=self._window_seconds,
            guard=self._guard,
            sent=self._sent,
            yield_gil=self._yield_gil,
        )

    def _unfinished_in(self, entry: SpoolEntry | None) -> set[int]:
        """Return the ids of the spans that an incident has delivered, or will, as unfinished."""
        try:
            window = None if entry is None else self._spool.read(entry).window
        except NotAnIncident:
            return set()
        return set() if window is None else {each.record.span_id for each in window.unfinished()}
