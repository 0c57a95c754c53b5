"""One run of the recorder: everything alive between a start and a stop, in one process.

A forked child begins a new one; nothing of the parent's is shared, because its threads are gone and
its locks may be held for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter

from otel_flight.assembly import Assembly, Settings
from otel_flight.delivery.delivery import Delivery
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.exporters import preload_all
from otel_flight.delivery.receiver.signals import OTHERS, SPANS
from otel_flight.ground.clock import Clock, monotonic_ns
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import Thread
from otel_flight.incidents.making.completion import new_incident_id
from otel_flight.incidents.making.lifecycle import IncidentLifecycle
from otel_flight.incidents.spool.place import spool_directories
from otel_flight.incidents.spool.spool import Spool
from otel_flight.notification.notifier import Notifier
from otel_flight.recording.next_root import NextRoot
from otel_flight.recording.session import RecordingSession
from otel_flight.recording.span_processor import RecordingSpanProcessor
from otel_flight.recording.tick_waits import TickWaits
from otel_flight.recording.ticker import Ticker
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.running.closing import Closing
from otel_flight.running.ends.end_watch import EndWatch
from otel_flight.running.pipeline import Pipeline
from otel_flight.running.process_facts import ProcessFacts
from otel_flight.running.statistics import Statistics
from otel_flight.running.succession.succession import Succession
from otel_flight.sources.base import Surroundings, build_sources
from otel_flight.triggers.base import TriggerContext, build_triggers
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.gate.gate import PATIENCE_SECONDS, Gate, Verdict
from otel_flight.worker.worker import Worker

_logger = logging.getLogger("otel_flight")


class Run:
    """Session, sources, triggers, gate, incidents, ticker and worker, from a start to a stop.

    Args:
        assembly: which sources and triggers there are.
        service_name: as far as it is known; the first span's resource corrects it.
        exporter: takes the spans of incidents; None: what the settings choose.
        pipelines: returns what calls the span processors of each provider.
        replay_late: replays what spans did before there was this run, as far as that is left.
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
        pipelines: Callable[[], Iterable[object]],
        replay_late: Callable[[], None],
    ) -> None:
        self.settings = settings
        self._guard, self._clock = guard, clock
        self._replay_late = replay_late
        self.session = RecordingSession(settings)
        self.inbox = FiringInbox()
        context = TriggerContext(self.session.open_spans, self.inbox, clock)
        self._errors_below = context.errors_below
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
        self._facts = ProcessFacts(service_name, self.spool, lambda: self._pipeline.steady_endpoint)
        pacer = Pacer(settings.flush_cpu_share)
        self._pipeline = Pipeline(pipelines, settings, exporter, self.session, clock)
        self.delivery = Delivery(
            self.spool,
            settings,
            guard,
            pacer,
            signal=SPANS,
            exporter=exporter,
            pipeline=self._pipeline.exporter,
        )
        self._others = [Delivery(self.spool, settings, guard, pacer, signal=s) for s in OTHERS]
        notifier = Notifier(self.spool, settings, guard, clock)
        # In this order: what cannot be delivered of other signals does not hold up spans.
        self.worker = Worker((self.delivery, *self._others, notifier), guard, pacer)
        self.incidents = IncidentLifecycle(
            settings=settings,
            session=self.session,
            gate=self.gate,
            spool=self.spool,
            rulebook=assembly.rulebook,
            guard=guard,
            clock=clock,
            submit=self.worker.submit,
            tell=notifier.tell,
            pipeline_endpoint=self._pipeline.endpoint_since,
        )
        self._succession = Succession(
            settings=settings,
            session=self.session,
            facts=self._facts,
            spool=self.spool,
            worker=self.worker,
            learned=context.latency,
            gate=self.gate,
            rulebook=assembly.rulebook,
            tell=notifier.tell,
            clock=clock,
            guard=guard,
        )
        self._next = NextRoot(clock.monotonic_ns, guard)
        self._ticker = Ticker(
            settings.tick_seconds, self._tasks(), guard, self._activity, waits, self._next.calls
        )
        self.closing = Closing(
            session=self.session,
            incidents=self.incidents,
            spool=self.spool,
            worker=self.worker,
            ticker=self._ticker,
            guard=guard,
            see_last=self._see_last,
        )
        self.tick_on, self.end_with = self._ticker.run_on, self._ticker.end_with

    def open(self, thread: Thread | None = None) -> None:
        """Install what sources and triggers need, make the ring, and start the ticker; all or none.

        The ticker gets the calling thread, where that is given: it goes on with `tick_on`. Where
        the program is ending no thread can be started, and only `finish` follows.

        Raises:
            RuntimeError: no thread can be started.
        """
        try:
            self.sources.start(self._guard)
            for trigger in self.triggers.installed:
                trigger.start()
            self._open_ring()  # last: where it is, all is there
            self._ticker.start(thread)
        except BaseException:
            self._take_out()
            self.session.close()
            raise

    @property
    def has_fired(self) -> bool:
        """Whether there is, or may be, an incident that is not closed."""
        return len(self.inbox) > 0 or self.incidents.has_open_incident

    import_exporters = staticmethod(preload_all)  # this module has imported all the rest

    def show_to(self, *processors: RecordingSpanProcessor) -> None:
        """Let processors record into this run."""
        hooks = self.triggers.root_ended, self.triggers.span_ended
        self._next.processors.update(processors)
        for each in processors:
            each.record_into(self.session, *hooks, now_ns=self._clock.monotonic_ns)

    def finish(self, deadline: Deadline) -> None:
        """Close what is open, and give the worker what is left of the time.

        The ring stays, for the last statistics; `closing.release_ring` lets go of it.
        """
        self._take_out()
        self.closing.finish(deadline)
        self._succession.leave()

    def _see_last(self) -> None:
        self.sources.settle(self._guard)
        self._replay_late()
        self.session.drain()
        self._errors_below.settle()
        self._succession.end()
        self._collect_firings()

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
        self.sources.stop(self._guard)

    def fire(self, firing: Firing) -> Verdict | None:
        """Ask the gate about a firing; left for the ticker when the gate is busy."""
        if (verdict := self.incidents.fire(firing)) is None:
            self.inbox.offer(firing)
        return verdict

    def statistics(self, *, is_recording: bool) -> Statistics:
        """Return the totals of this run. Any thread; blocks for microseconds."""
        return Statistics.of_session(
            self.session,
            is_recording=is_recording,
            firings=self.gate.counts(),
            repeated_firings=self.inbox.repeated,
            dropped_firings=self.inbox.dropped,
            incidents_written=self.incidents.written,
            incidents_unspooled=self.incidents.unspooled,
            incidents_failed=self.incidents.failed,
            delivery=self.delivery.statistics,
            log_delivery=self._others[0].statistics,
            sources=self.sources.counts(),
            errors=self._guard.errors(),
        )

    def _tasks(self) -> list[tuple[str, Callable[[], None]]]:
        return [
            ("late notes", self._replay_late),
            ("drain", self.session.drain),
            ("pipeline", self._pipeline.look),
            ("external trigger", self._answer_request),
            ("heartbeat", self._heartbeat),
            ("sources", lambda: self.sources.tick(self._guard)),
            *self.triggers.watches,
            ("succession", self._succession.look),
            ("firings", self._collect_firings),
            ("incident", self.incidents.advance),
            ("checkpoint", self.session.checkpoint_open_spans),
            ("termination", EndWatch(self.session, self.incidents, self._clock).look),
        ]

    def _activity(self) -> object:  # events of the runtime are in a process without any, too
        seen, opened = self.session.lanes[LANE_SPANS].counts(), len(self.session.open_spans.spans)
        looked = self.sources.samples(opened)
        return seen.written_records, looked, opened, self.incidents.has_open_incident

    def _open_ring(self) -> None:
        placed = self.session.open_ring(self._facts.at_start)
        for problem in placed.problems(self.settings.ring_directory, self.settings.window_bytes):
            _logger.warning("%s", problem)
        self.sources.ring_made(self.session.ring_path, self._guard)

    def _heartbeat(self) -> None:
        self.session.heartbeat()
        ring = self.session.ring
        if ring is not None and self._facts.tell(ring, self.session.scopes.newest_resource()):
            self._succession.begin()
            self._pipeline.say_where()

    def _collect_firings(self) -> None:
        for firing in self.inbox.take_all():
            self.incidents.fire(firing, PATIENCE_SECONDS)

    def _answer_request(self) -> None:
        ring, answer = self.session.ring, self.triggers.answer_request
        if ring is not None and answer is not None:
            answer(ring, self._fire_for_answer)

    def _fire_for_answer(self, firing: Firing) -> dict[str, Any]:
        verdict = self.incidents.fire(firing, PATIENCE_SECONDS) or Verdict("busy", None)
        return {"outcome": verdict.outcome, "incident_id": verdict.incident_id}
