"""Makes incidents of the rings of dead processes, which it removes when these are in the spool."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from otel_flight.errors import NotAnIncident
from otel_flight.guard import Guard
from otel_flight.incidents.completion import complete
from otel_flight.incidents.findings.rulebook import Rulebook
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.recovery.recovered import DeadProcess
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from otel_flight.ring.dead_rings import claimed_ring, is_replaced
from otel_flight.ring.facts import SERVICE
from otel_flight.ring.reader import RingReader


class Recoverer:
    """Makes incidents of dead rings. One thread at a time; blocks for as long as that takes.

    Args:
        spool: where incidents go.
        rulebook: finds in them what there is to find.
        guard: notes what fails.
        window_seconds: how far back an incident reaches.
        admits: says of the death of a process, by what it was serving and when, whether it makes an
            incident.
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
        tell: Callable[[Incident, SpoolEntry], None] = lambda incident, entry: None,
        yield_gil: YieldGil = keep_gil,
    ) -> None:
        self._spool = spool
        self._rulebook = rulebook
        self._guard = guard
        self._window_seconds = window_seconds
        self._admits = admits
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
            entry = self._keep(dead.finished(opened, self._window_seconds, covered))
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
        entry = self._keep(death) if self._admits(cause.subject, cause.time_ns) else None
        return [] if entry is None else [entry]

    def _keep(self, incident: Incident) -> SpoolEntry | None:
        """Put an incident into the spool; return None when it is there.

        Then whoever claimed its ring before died over removing it.
        """
        manifest = incident.manifest
        known = self._known()
        if manifest.incident_id in known:
            return None
        before = self._unfinished_in(known.get(manifest.previous_incident_id))
        finished = complete(incident, self._rulebook, self._guard, before, self._yield_gil)
        entry = self._spool.add(finished)
        self._tell(finished, entry)
        return entry

    def _unfinished_in(self, entry: SpoolEntry | None) -> set[int]:
        """Return the ids of the spans that an incident has delivered, or will, as unfinished."""
        try:
            window = None if entry is None else self._spool.read(entry).window
        except NotAnIncident:
            return set()
        return set() if window is None else {each.record.span_id for each in window.unfinished()}
