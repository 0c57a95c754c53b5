"""What a run takes over from the processes of its service before it, and looks after beside it.

What they have learned, the incidents in the spool, and the rings of those that died.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from otel_flight.assembly import Settings
from otel_flight.ground.clock import Clock
from otel_flight.ground.guard import Guard
from otel_flight.incidents.findings.rulebook import Rulebook
from otel_flight.incidents.gil_yields import GilYields
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.sent_unfinished import SentUnfinished
from otel_flight.incidents.recovery.recoverer import Recoverer
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from otel_flight.recording.session import RecordingSession
from otel_flight.ring.cleanup import remove_old_dead_rings
from otel_flight.running.process_facts import ProcessFacts
from otel_flight.running.succession.known_latency import KnownLatency
from otel_flight.triggers.gate.death import death_firing
from otel_flight.triggers.gate.gate import Gate
from otel_flight.triggers.gate.shared_file import SharedFile
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.worker.host import forget_if_alone, member, shared_gate
from otel_flight.worker.recovery import Recovery
from otel_flight.worker.retention import Retention
from otel_flight.worker.worker import Worker


class Succession:
    """Begins with the first span, as directories are read. For the ticker's thread.

    Args:
        facts: say which service this is.
        spool: looked at, and delivered from, by the worker.
        learned: what this run learns of latencies.
        gate: decides which deaths make incidents.
        rulebook: finds in them what there is to find.
        tell: called with each incident that was kept.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        session: RecordingSession,
        facts: ProcessFacts,
        spool: Spool,
        worker: Worker,
        learned: LearnedLimits,
        gate: Gate,
        rulebook: Rulebook,
        tell: Callable[[Incident, SpoolEntry], None],
        clock: Clock,
        guard: Guard,
    ) -> None:
        self._settings = settings
        self._session = session
        self._facts = facts
        self._spool = spool
        self._gate = gate
        self._guard = guard
        self._submit = worker.submit
        redact = str if session.redactor is None else session.redactor.text
        self._latency = KnownLatency(
            learned, lambda: spool.directory, worker.submit, clock, guard, redact
        )
        self._recovery: Recovery | None = None
        if settings.recover:
            recoverer = Recoverer(
                spool=spool,
                rulebook=rulebook,
                guard=guard,
                window_seconds=settings.window_seconds,
                admits=lambda subject, time_ns: gate.admits(death_firing(subject, time_ns)),
                joined=gate.closed if settings.host_incidents else None,
                sent=SentUnfinished(lambda: gate.file),
                tell=tell,
                yield_gil=GilYields().give_up,
            )
            self._recovery = Recovery(
                lambda ring: recoverer.recover(ring, facts.service_name),
                self._ring_directories,
                worker.submit,
                clock,
                guard,
            )
        self._retention: Retention | None = None
        if settings.retention_seconds is not None:
            self._retention = Retention(
                settings.retention_seconds,
                spool=lambda: spool.directory,
                rings=self._ring_directories,
                submit=worker.submit,
                clock=clock,
                guard=guard,
            )
        self._has_begun = False
        self._shared: SharedFile | None = None

    def begin(self) -> None:
        """Take over what there is, now that the service is known."""
        self._has_begun = True
        path = self._session.ring_path
        self._share_gate()
        # On the worker's thread, which may wait for a slow disk; it delivers what is there, too.
        self._submit(self._spool.prepare)
        self._latency.begin(self._facts.service_name)
        if path is not None:
            self.look()
            self._submit(partial(_clean_up, path.parent))

    def look(self) -> None:
        """Learn, and look after those that died meanwhile."""
        self._latency.look()
        if self._has_begun and self._recovery is not None:
            self._recovery.look()
        if self._has_begun and self._retention is not None:
            self._retention.look()

    def end(self) -> None:
        """Let what was learned be kept, and what fired last be decided with other processes.

        A short program has not begun with this when it ends.
        """
        ring, resource = self._session.ring, self._session.scopes.newest_resource()
        if not self._has_begun and ring is not None and self._facts.tell(ring, resource):
            self._share_gate()
        self._latency.end()

    def _share_gate(self) -> None:
        path = self._session.ring_path
        if path is not None and self._settings.host_incidents:
            with self._guard.swallow("share gate"):
                service, spool = self._facts.service_name, self._spool.directory
                self._shared = shared_gate(path, service, spool)
                self._gate.share(self._shared, member(path))

    def _ring_directories(self) -> list[Path]:
        path = self._session.ring_path
        return [] if path is None else [path.parent]

    def leave(self) -> None:
        """Take away what processes of the service share, if this is the last one."""
        path = self._session.ring_path
        if path is not None and self._shared is not None:
            with self._guard.swallow("leave gate"):
                forget_if_alone(self._shared, path)


def _clean_up(directory: Path) -> None:
    remove_old_dead_rings(directory)
