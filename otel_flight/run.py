"""One run of the recorder: everything alive between a start and a stop, in one process.

A forked child begins a new one; nothing of the parent's is shared, because its threads are gone and
its locks may be held for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter

from otel_flight.assembly import Assembly, Settings
from otel_flight.clock import Clock, monotonic_ns
from otel_flight.delivery.delivery import Delivery
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.signals import LOGS, SPANS
from otel_flight.guard import Guard
from otel_flight.incidents.completion import new_incident_id
from otel_flight.incidents.lifecycle import IncidentLifecycle
from otel_flight.incidents.spool import Spool
from otel_flight.incidents.spool_place import spool_directories
from otel_flight.native import allocate_lock
from otel_flight.process_facts import ProcessFacts
from otel_flight.recording.session import RecordingSession
from otel_flight.recording.tick_waits import TickWaits
from otel_flight.recording.ticker import Ticker
from otel_flight.ring.cleanup import remove_old_dead_rings
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS
from otel_flight.sources.base import Counting, Deferring, Surroundings, build_sources
from otel_flight.statistics import Statistics
from otel_flight.termination import TERMINATION
from otel_flight.triggers.base import TriggerContext, build_triggers
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.gate.gate import Gate, Verdict
from otel_flight.worker import Worker

_logger = logging.getLogger("otel_flight")


class Run:
    """Session, sources, triggers, gate, incidents, ticker and worker, from a start to a stop.

    Args:
        assembly: which sources and triggers there are.
        service_name: as far as it is known; the first span's resource corrects it.
        exporter: takes the spans of incidents; None: what the settings choose.
        is_pipeline_exporting: tells whether another processor exports sampled spans.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        service_name: str,
        clock: Clock,
        guard: Guard,
        assembly: Assembly,
        exporter: SpanExporter | None,
        is_pipeline_exporting: Callable[[], bool],
    ) -> None:
        self.settings = settings
        self._guard = guard
        self.session = RecordingSession(settings)
        self.inbox = FiringInbox()
        context = TriggerContext(self.session.open_spans, self.inbox, clock)
        self.triggers = build_triggers(assembly.triggers, settings, context)
        self.session.runtime.hooks = self.triggers.event_hooks
        waits = TickWaits()
        self.sources = build_sources(
            assembly.sources,
            settings,
            Surroundings(
                settings=settings,
                events=self.session.runtime,
                open_spans=self.session.open_spans,
                guard=guard,
                clock=clock,
                waits=waits,
            ),
        )
        self.gate = Gate(settings, clock, new_incident_id)
        named = settings.spool_directory
        directory, *fallbacks = spool_directories(Path(named) if named else None)
        self.spool = Spool(
            directory, settings.spool_bytes, settings.spool_incidents, fallbacks, clock
        )
        self._facts = ProcessFacts(service_name, self.spool)
        pacer = Pacer(settings.flush_cpu_share)
        self.delivery = Delivery(
            self.spool, settings, guard, pacer, signal=SPANS, exporter=exporter
        )
        self.log_delivery = Delivery(self.spool, settings, guard, pacer, signal=LOGS)
        # In this order: log records that cannot be delivered do not hold up spans.
        self.worker = Worker((self.delivery, self.log_delivery), guard, pacer)
        self.incidents = IncidentLifecycle(
            settings=settings,
            session=self.session,
            gate=self.gate,
            spool=self.spool,
            rulebook=assembly.rulebook,
            guard=guard,
            clock=clock,
            submit=self.worker.submit,
            is_pipeline_exporting=is_pipeline_exporting,
        )
        self._ticker = Ticker(settings.tick_seconds, self._tasks(), guard, self._activity, waits)

    def open(self) -> None:
        """Make the ring and start the ticker. Takes some milliseconds: the memory is allocated."""
        self._open_ring()
        self.open_in_background()

    def open_in_background(self) -> None:
        """Start the ticker, which makes the ring; records wait in the lanes until then."""
        for trigger in self.triggers.installed:
            trigger.start()
        for source in self.sources:
            with self._guard.swallow(f"start {source.name}"):
                source.start()
        self._ticker.start()

    def close_incidents(self, timeout_seconds: float) -> bool:
        """Close what is open, write it and deliver it. Blocks; not for the ticker's thread.

        What the application did before this call is seen first, by a whole tick.

        Returns:
            Whether all that is done, as far as it can be done now.
        """
        closed = allocate_lock()
        closed.acquire()

        def close() -> None:
            self.incidents.close_now()
            closed.release()

        self._ticker.after_tick(close)
        return closed.acquire(True, timeout_seconds) and self.worker.wait_idle(timeout_seconds)

    def end_with(self, last: Callable[[], None]) -> Callable[[float], bool]:
        """Let the ticker's thread do something and end; return how to wait. Never waits itself."""
        return self._ticker.end_with(last)

    def finish(self, deadline_seconds: float) -> None:
        """Close what is open, and give the worker what is left of the time.

        The ring stays, for the last statistics; `session.close` removes it.
        """
        self._take_out()
        self._ticker.stop(min(1.0, deadline_seconds))
        for source in self.sources:
            if isinstance(source, Deferring):
                with self._guard.swallow(source.name):
                    source.settle()
        with self._guard.swallow("close incident"):
            self._open_ring()  # a forked child may end before its ticker came to it
            self.session.drain()
            self._collect_firings()
            self.incidents.close_now()
        with self._guard.swallow("stop worker"):
            self.worker.stop(deadline_seconds)
        if self.spool.in_memory:
            _logger.warning(
                "otel-flight could neither write nor send %d incidents, which end with the process",
                self.spool.in_memory,
            )
        self._guard.report()

    def pause_threads(self, timeout_seconds: float) -> None:
        """Let the threads end, as far as they only wait, before the process forks."""
        until_ns = monotonic_ns() + int(timeout_seconds * 1e9)
        with self._guard.swallow("before fork"):
            self._ticker.pause(timeout_seconds)
            self.worker.pause(max(0.0, (until_ns - monotonic_ns()) / 1e9))

    def resume_threads(self) -> None:
        """Go on after `pause_threads`, in the parent."""
        with self._guard.swallow("after fork"):
            self._ticker.resume()
            self.worker.resume()

    def abandon(self) -> None:
        """Let go of what belongs to the parent process, in a forked child."""
        self._take_out()
        self.session.abandon()

    def _take_out(self) -> None:
        for trigger in self.triggers.installed:
            trigger.stop()
        for source in self.sources:
            with self._guard.swallow(f"stop {source.name}"):
                source.stop()

    def _tick_sources(self) -> None:
        for source in self.sources:
            with self._guard.swallow(source.name):
                source.tick()

    def fire(self, firing: Firing) -> Verdict | None:
        """Ask the gate about a firing; left for the ticker when the gate is busy."""
        verdict = self.incidents.fire(firing)
        if verdict is None:
            self.inbox.offer(firing)
        return verdict

    def statistics(self, *, is_recording: bool) -> Statistics:
        """Return the totals of this run. Any thread; blocks for microseconds."""
        session, ring = self.session, self.session.ring
        path = ring.backing.path if ring is not None else None
        return Statistics(
            is_recording=is_recording,
            ring_path=str(path) if path is not None else "",
            window_bytes=len(ring.backing.memory) if ring is not None else 0,
            window_seconds=self._reach_seconds(),
            spans=session.lanes[LANE_SPANS].counts(),
            runtime=session.lanes[LANE_RUNTIME].counts(),
            open_spans=len(session.open_spans.spans),
            open_spans_evicted=session.open_spans.evicted,
            converted_values=session.encoder.converted,
            cut_records=session.encoder.cut_records,
            firings=self.gate.counts(),
            repeated_firings=self.inbox.repeated,
            dropped_firings=self.inbox.dropped,
            incidents_written=self.incidents.written,
            incidents_unspooled=self.incidents.unspooled,
            incidents_failed=self.incidents.failed,
            delivery=self.delivery.statistics,
            log_delivery=self.log_delivery.statistics,
            sources={
                source.name: source.counts()
                for source in self.sources
                if isinstance(source, Counting)
            },
            errors=self._guard.errors(),
        )

    def _reach_seconds(self) -> float:
        ring = self.session.ring
        oldest = next(ring.image.segments(LANE_SPANS), None) if ring is not None else None
        return 0.0 if oldest is None else (monotonic_ns() - oldest.opened_monotonic_ns) / 1e9

    def _tasks(self) -> list[tuple[str, Callable[[], None]]]:
        tasks = [
            ("open ring", self._open_ring),
            ("drain", self.session.drain),
            ("heartbeat", self._heartbeat),
            ("sources", self._tick_sources),
            *self.triggers.watches,
            ("firings", self._collect_firings),
            ("incident", self.incidents.advance),
            ("checkpoint", self.session.checkpoint_open_spans),
            ("termination", TERMINATION.look),
        ]
        if self.triggers.answer_request is not None:
            tasks.insert(3, ("external trigger", self._answer_request))
        return tasks

    def _activity(self) -> object:
        # Not the lane of runtime events: there are some in a process that does nothing, too.
        spans = self.session.lanes[LANE_SPANS].counts().written_records
        return spans, len(self.session.open_spans.spans), self.incidents.has_open_incident

    def _open_ring(self) -> None:
        if self.session.ring is not None:
            return
        placed = self.session.open_ring(self._facts.at_start)
        for problem in placed.problems(self.settings.ring_directory, self.settings.window_bytes):
            _logger.warning("%s", problem)

    def _heartbeat(self) -> None:
        self.session.heartbeat()
        ring = self.session.ring
        if ring is None or not self._facts.tell(ring, self.session.scopes.newest_resource()):
            return
        # Once, and not before the first span: directories are read.
        if ring.backing.path is not None:
            remove_old_dead_rings(ring.backing.path.parent)
        # On the worker's thread, which may wait for a slow disk; it delivers what is there, too.
        self.worker.submit(self.spool.prepare)

    def _collect_firings(self) -> None:
        for firing in self.inbox.take_all():
            self.incidents.fire(firing)

    def _answer_request(self) -> None:
        ring = self.session.ring
        answer = self.triggers.answer_request
        if ring is not None and answer is not None:
            answer(ring, self._fire_for_answer)

    def _fire_for_answer(self, firing: Firing) -> dict[str, Any]:
        verdict = self.incidents.fire(firing)
        if verdict is None:
            return {"outcome": "busy", "incident_id": None}
        return {"outcome": verdict.outcome, "incident_id": verdict.incident_id}
