"""Turns firings into incidents: opens, freezes, waits for the tail, closes, hands over.

`fire` and `snapshot` are for any thread; everything else runs on the ticker, and the fields are its
own, so that an open incident needs no lock. A closed incident is given to the writer, whose work is
a job for the worker's thread; what became of it comes back as a value, which the ticker takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import msgspec

from otel_flight.ground.backoff import Backoff
from otel_flight.ground.clock import Clock, ClockPair
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.incidents.findings.rulebook import Rulebook
from otel_flight.incidents.frozen_window import FrozenWindow
from otel_flight.incidents.gil_yields import GilYields
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import complete, new_incident_id
from otel_flight.incidents.making.frozen_incident import frozen_incident
from otel_flight.incidents.making.journal import IncidentJournal
from otel_flight.incidents.making.open_incident import OpenIncident, as_cause, causes_elsewhere
from otel_flight.incidents.making.sent_unfinished import SentUnfinished
from otel_flight.incidents.making.siblings import Host, SiblingWindows
from otel_flight.incidents.making.writer import IncidentWriter
from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.incidents.record_marks import RecordMarks
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.memory_shelf import MAX_UNWRITTEN
from otel_flight.incidents.spool.spool import Spool
from otel_flight.incidents.window import Window
from otel_flight.recording.session import RecordingSession
from otel_flight.records.incident_records import CLOSED, DELIVERED, FAILED, WRITTEN
from otel_flight.ring.layout import LANES
from otel_flight.ring.ring import Ring
from otel_flight.settings.fields import CoreSettings
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.gate import OPENED, Gate, Verdict
from otel_flight.triggers.gate.refusals import Refusals


class _Exported(NamedTuple):
    """What the incidents closed so far hold: where the next one begins."""

    records: dict[int, int]
    """The first record of each lane that none of them holds."""
    last_id: str
    """The id of the last of them."""


class IncidentLifecycle:
    """The incidents of one recording session.

    Args:
        rulebook: finds in an incident what there is to find.
        submit: runs a job on the worker's thread, soon.
        tell: called there with each incident that was kept.
        pipeline_endpoint: returns where another span processor has sent all sampled spans since a
            moment; empty: that is not sure.
    """

    def __init__(
        self,
        *,
        settings: CoreSettings,
        session: RecordingSession,
        gate: Gate,
        spool: Spool,
        rulebook: Rulebook,
        guard: Guard,
        clock: Clock,
        submit: Callable[[Callable[[], None]], None],
        tell: Callable[[Incident, SpoolEntry], None],
        pipeline_endpoint: Callable[[int], str],
    ) -> None:
        self._settings = settings
        self._session = session
        self._gate = gate
        self._spool = spool
        self._rulebook = rulebook
        self._guard = guard
        self._clock = clock
        self._submit = submit
        self._pipeline_endpoint = pipeline_endpoint
        self._accepted: deque[tuple[Verdict, Firing]] = deque()
        self._current: OpenIncident | None = None
        self._exported = _Exported({}, "")
        # By their ids, the closed incidents that are being written, each with what was so before.
        self._unwritten: dict[str, _Exported] = {}
        # The gate opens no incident for a while after one that could not be kept.
        self._backoff = Backoff()
        self._marks = RecordMarks(settings.window_seconds)
        self._yields = GilYields()
        sent = SentUnfinished(lambda: gate.file)
        self._writer = IncidentWriter(spool, rulebook, guard, self._yields, tell=tell, sent=sent)
        self._journal = IncidentJournal(session, clock)
        self._not_frozen = 0

    @property
    def written(self) -> int:
        """How many incidents reached the spool. Any thread."""
        return self._writer.written

    @property
    def unspooled(self) -> int:
        """How many incidents were kept in memory, as they could not be written. Any thread."""
        return self._writer.unspooled

    @property
    def failed(self) -> int:
        """How many incidents could not be frozen or written. Any thread."""
        return self._not_frozen + self._writer.failed

    @property
    def has_open_incident(self) -> bool:
        """Whether an incident is open or about to be opened."""
        return self._current is not None or bool(self._accepted)

    @property
    def has_unfinished(self) -> bool:
        """Whether an incident is not in the spool yet, as far as `take_results` has found."""
        return self.has_open_incident or bool(self._unwritten) or self._spool.in_memory > 0

    def fire(self, firing: Firing, patience_seconds: float = 0.0) -> Verdict | None:
        """Ask the gate about a firing. Any thread; waits at most 50 ms for another one.

        Args:
            firing: what fired.
            patience_seconds: how long to wait for another process besides.

        Returns:
            The verdict, None when the gate could not be asked.
        """
        firing = firing.without_secrets(self._session.redactor)
        verdict = self._gate.decide(firing, patience_seconds)
        if verdict is not None and verdict.incident_id is not None:
            if verdict.outcome == OPENED:
                self._say_open(verdict.incident_id, ClockPair.now(self._clock), [as_cause(firing)])
            self._accepted.append((verdict, firing))
        return verdict

    def advance(self) -> None:
        """Freeze the window of an incident that was opened, close one whose tail is over."""
        if self._session.ring is None:  # being made, in a forked child
            return
        self._marks.note(self._session.ring.image, self._clock.monotonic_ns())
        self.take_results()
        while self._accepted:
            verdict, firing = self._accepted.popleft()
            if verdict.outcome == OPENED and verdict.incident_id is not None:
                self._open(verdict.incident_id, verdict.refused)
            current = self._current
            if current is not None and current.incident_id == verdict.incident_id:
                is_new = current.add_cause(firing)
                if is_new:  # again of the first, as the one before may have closed meanwhile
                    self._say_open(current.incident_id, current.opened, current.causes())
        current = self._current
        tail_ns = int(self._settings.tail_seconds * 1e9)
        if current and self._clock.monotonic_ns() - current.opened.monotonic_ns >= tail_ns:
            self._close(current)
        self._journal.repeat()
        self._gate.is_full = self._is_full()

    def _is_full(self) -> bool:
        return len(self._unwritten) + self._spool.in_memory >= MAX_UNWRITTEN

    def hurry(self, deadline: Deadline) -> None:
        """Let what is being frozen and written be done by then. Any thread."""
        self._yields.hurry(deadline)

    def close_now(self) -> None:
        """Close what is open without waiting for its tail."""
        self.advance()
        if self._current is not None:
            self._close(self._current)

    def snapshot(self) -> Incident:
        """Return the window as it is now, without a cause. Any thread; blocks for milliseconds."""
        ring = self._session.ring
        moment = ClockPair.now(self._clock)
        if ring is None:
            return Incident(Manifest(incident_id=new_incident_id()), Window([]))
        incident = self._closed(new_incident_id(), moment, self._freeze(ring, moment), ring)
        return complete(incident, self._rulebook, self._guard, set())

    def _say_open(self, incident_id: str, moment: ClockPair, causes: list[Cause]) -> None:
        with self._guard.swallow("journal"):
            self._journal.opened(
                incident_id,
                moment,
                causes,
                first_records=self._first_records(moment),
                exported_to=self._exported.records,
                previous_id=self._exported.last_id,
            )

    def _first_records(self, moment: ClockPair) -> dict[int, int]:
        window_ns = int(self._settings.window_seconds * 1e9)
        return self._marks.first_records(moment.monotonic_ns - window_ns)

    def _freeze(self, ring: Ring, moment: ClockPair) -> FrozenWindow:
        window_seconds, give_up = self._settings.window_seconds, self._yields.give_up
        first = self._first_records(moment)
        return FrozenWindow(ring.image, moment, window_seconds, give_up, first_records=first)

    def _closed(
        self, incident_id: str, opened: ClockPair, frozen: FrozenWindow, ring: Ring
    ) -> Incident:
        return frozen_incident(
            incident_id,
            frozen,
            self._session,
            ring.image.header(),
            opened_ns=opened.wall_ns,
            closed_ns=self._clock.wall_ns(),
        )

    def _open(self, incident_id: str, refused: Refusals | None) -> None:
        if self._current is not None:  # the gate thinks it closed; its tail ends now
            self._close(self._current)
        ring = self._session.ring
        moment = ClockPair.now(self._clock)
        if ring is None or self._is_full():
            self._fail(incident_id)
            return
        self._current = OpenIncident(incident_id, moment, self._freeze(ring, moment), refused)

    def _close(self, current: OpenIncident) -> None:
        self._current = None
        joined = self._gate.closed(current.incident_id)
        ring = self._session.ring
        if ring is None:
            self._fail(current.incident_id)
            return
        current.window.grow(ring.image)
        incident = self._closed(current.incident_id, current.opened, current.window, ring)
        causes = current.causes() + causes_elsewhere(joined)
        manifest = msgspec.structs.replace(
            incident.manifest,
            causes=causes,
            refused=current.refused_before(),
            opened_ns=(causes[0].time_ns if causes else 0) or incident.manifest.opened_ns,
            exported_to=_first_new(self._exported.records, ring),
            previous_incident_id=self._exported.last_id,
            pipeline_endpoint=self._pipeline_endpoint(incident.manifest.coverage.start_ns),
        )
        incident = incident.with_manifest(manifest)
        self._unwritten[current.incident_id] = self._exported
        ends = current.window.end_records()
        self._exported = _Exported({**self._exported.records, **ends}, current.incident_id)
        for lane, record in ends.items():
            ring.set_exported(lane, record)
        self._journal.note(current.incident_id, CLOSED)
        self._gate.is_full = self._is_full()
        beside = partial(
            SiblingWindows,
            host=Host.of(ring, self._spool.directory),
            moment=current.opened,
            until_monotonic_ns=self._clock.monotonic_ns(),
            window_seconds=self._settings.window_seconds,
            guard=self._guard,
            yield_gil=self._yields.give_up_in_time,
            sent=self._writer.sent,
        )
        windows = beside if self._gate.file else None
        self._submit(partial(self._writer.write, incident, windows))

    def take_results(self) -> None:
        """Let the next incident begin where one that could not be written did."""
        for incident_id in self._spool.take_delivered():
            self._journal.note(incident_id, DELIVERED)
        for result in self._writer.take_results():
            before = self._unwritten.pop(result.incident_id)
            if result.is_kept:
                self._backoff.succeeded()
                if not result.is_in_memory:
                    self._journal.note(result.incident_id, WRITTEN)
                continue
            self._journal.note(result.incident_id, FAILED)
            self._gate.give_back(result.incident_id, self._backoff.failed())
            if self._exported.last_id == result.incident_id:
                self._exported = before

    def _fail(self, incident_id: str) -> None:
        self._journal.note(incident_id, FAILED)
        self._not_frozen += 1
        self._gate.closed(incident_id)
        self._gate.give_back(incident_id, self._backoff.failed())


def _first_new(exported: Mapping[int, int], ring: Ring) -> dict[str, int]:
    """Return, by lane, the first record that is in no incident, of any process."""
    first = {lane: max(exported.get(lane, 0), ring.taken(lane)) for lane in LANES}
    return {str(lane): record for lane, record in first.items() if record}
