"""Does for all services of a host what each of their processes does for its own.

It is the worker of a recorder, on the same directories, without a recorder: whatever a process
leaves, because it died or because it is not to deliver, is recovered, told and delivered from here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from otel_flight.assembly import ASSEMBLY, Settings
from otel_flight.delivery.delivery import Delivery
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.signals import OTHERS, SPANS
from otel_flight.errors import SpoolUnavailable
from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import FLIGHT_SUFFIX
from otel_flight.incidents.making.completion import new_incident_id
from otel_flight.incidents.making.sent_unfinished import SentUnfinished
from otel_flight.incidents.recovery.recoverer import Recoverer
from otel_flight.incidents.spool.directory import SpoolDirectory, SpoolEntry
from otel_flight.incidents.spool.place import spool_directories
from otel_flight.incidents.spool.spool import Spool
from otel_flight.notification.notifier import Notifier
from otel_flight.ring.facts import SERVICE
from otel_flight.ring.reader import RingReader
from otel_flight.triggers.gate.death import death_firing
from otel_flight.triggers.gate.gate import Gate
from otel_flight.triggers.gate.state import Member
from otel_flight.worker.host import gate_file
from otel_flight.worker.recovery import Recovery
from otel_flight.worker.retention import Retention
from otel_flight.worker.worker import Worker

BETWEEN_LOOKS_SECONDS: Final = 1.0
"""What services have left is looked for so often."""
_MEMBER: Final = Member("agent")
"""The agent decides as this one: it has no ring that says whether it lives."""
_MOST_SERVICES: Final = 256
"""The cooldowns of at most so many services are known; beyond, those of the first are forgotten."""

_logger = logging.getLogger("otel_flight")


class Agent:
    """Recovers dead rings and delivers what is in a spool, until it is told to stop.

    Everything but `statistics` is for one thread; what takes long runs on the worker's.

    Args:
        settings: where to look and where to send; the same as in the services.
        ring_directories: where rings are.
        clock: a fake one in tests.

    Attributes:
        guard: notes what fails for reasons nobody thought of.
        spool: what is delivered.
        deliveries: of spans, of log records and of profiles.
        recovered: how many incidents were made of dead rings.
        looked_ns: when it last looked, by the monotonic clock.
    """

    def __init__(
        self,
        settings: Settings,
        ring_directories: Sequence[Path],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.guard = guard = Guard()
        named = settings.spool_directory
        directory, *fallbacks = spool_directories(Path(named) if named else None)
        self.spool = spool = Spool(
            directory, settings.spool_bytes, settings.spool_incidents, fallbacks, clock
        )
        pacer = Pacer(settings.flush_cpu_share)
        self.deliveries = [
            Delivery(spool, settings, guard, pacer, signal=signal) for signal in (SPANS, *OTHERS)
        ]
        self._notifier = Notifier(spool, settings, guard, clock)
        self._worker = Worker((*self.deliveries, self._notifier), guard, pacer)
        submit = self._worker.submit
        self._recovery = Recovery(self._recover, lambda: ring_directories, submit, clock, guard)
        self._retention: Retention | None = None
        if settings.retention_seconds is not None:
            self._retention = Retention(
                settings.retention_seconds,
                spool=lambda: spool.directory,
                rings=lambda: ring_directories,
                submit=submit,
                clock=clock,
                guard=guard,
            )
        self._recoverers: dict[tuple[Path, str], Recoverer] = {}
        self._known: set[str] = set()
        self._evicted = {True: 0, False: 0}
        self.recovered = 0
        self.looked_ns = clock.monotonic_ns()

    def run(self, has_to_stop: Callable[[float], bool]) -> None:
        """Work until it has to stop; then for `OTEL_FLIGHT_SHUTDOWN_TIMEOUT` at most.

        Args:
            has_to_stop: waits for so many seconds, and returns whether to stop.
        """
        self._worker.submit(self.spool.prepare)
        self.look()
        while not has_to_stop(BETWEEN_LOOKS_SECONDS):
            self.look()
        self.stop()

    def stop(self) -> None:
        """Let what is under way be done, as far as there is time for it. Blocks for as long."""
        self._worker.stop(Deadline.after(self._settings.shutdown_seconds))
        self.guard.report()

    def look(self) -> None:
        """Look once after what is new: dead processes, incidents, what is too old or too much."""
        self._recovery.look()
        if self._retention is not None:
            self._retention.look()
        with self.guard.swallow("look into spool"):
            known = {path.name for path in self.spool.directory.glob(f"*{FLIGHT_SUFFIX}")}
            if known - self._known:
                self._worker.submit(self._make_room)  # then the worker delivers what is there
            self._known = known
        self.guard.report()
        self.looked_ns = self._clock.monotonic_ns()

    def evicted(self, *, delivered: bool) -> int:
        """Return how many incidents have left the spool, as others needed their room. Any thread.

        Args:
            delivered: those that were delivered by then, or the others.
        """
        at_additions = self.spool.evicted_delivered if delivered else self.spool.evicted_undelivered
        return at_additions + self._evicted[delivered]

    def _make_room(self) -> None:
        settings = self._settings
        directory = SpoolDirectory(
            self.spool.directory, settings.spool_bytes, settings.spool_incidents
        )
        try:
            directory.make_room()
        except SpoolUnavailable:  # of which the spool has warned
            return
        self._evicted[True] += directory.evicted_delivered
        self._evicted[False] += directory.evicted_undelivered

    def _recover(self, ring: Path) -> list[SpoolEntry] | None:
        with RingReader(ring) as reader:
            service = str(reader.image.header().facts.get(SERVICE, ""))
        kept = self._recoverer(ring.parent, service).recover(ring, service)
        self.recovered += len(kept or ())
        return kept

    def _recoverer(self, directory: Path, service: str) -> Recoverer:
        """Return what recovers the rings of a service, and knows its cooldowns and budget."""
        key = directory, service
        if key not in self._recoverers:
            if len(self._recoverers) >= _MOST_SERVICES:
                del self._recoverers[next(iter(self._recoverers))]
            gate = Gate(self._settings, self._clock, new_incident_id)
            is_shared = self._settings.host_incidents
            if is_shared:
                gate.share(gate_file(directory, service, self.spool.directory), _MEMBER)
            self._recoverers[key] = Recoverer(
                spool=self.spool,
                rulebook=ASSEMBLY.rulebook,
                guard=self.guard,
                window_seconds=self._settings.window_seconds,
                admits=lambda subject, time_ns: gate.admits(death_firing(subject, time_ns)),
                joined=gate.closed if is_shared else None,
                sent=SentUnfinished(lambda: gate.file),
                tell=self._notifier.tell,
            )
        return self._recoverers[key]
