"""The recorder as the application holds it: start, stop, trigger, snapshot, statistics.

Everything here is idempotent and for any thread. The hot path is elsewhere: in
`recording/span_processor.py`.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from typing_extensions import Self

from otel_flight.clock import SYSTEM_CLOCK, Clock, monotonic_ns
from otel_flight.errors import RecorderStopped
from otel_flight.guard import Guard
from otel_flight.incidents.flight_file import write_file, write_stream
from otel_flight.incidents.incident import Incident
from otel_flight.recording.span_processor import RecordingSpanProcessor
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS
from otel_flight.run import BuildSources, BuildTriggers, Flight
from otel_flight.settings.sources import SettingsInForce
from otel_flight.sources.base import Counting
from otel_flight.statistics import Statistics
from otel_flight.termination import TerminationHandler


class Recorder:
    """Owns the flights of this process, one after another.

    Args:
        in_force: the settings and where each came from.
        build_triggers: makes the triggers of a flight.
        build_sources: makes its sources of runtime events.
        is_exporting: tells whether a provider's pipeline exports sampled spans.
        service_name: when it is known before the first span.
        clock: a fake one in tests.
    """

    def __init__(
        self,
        in_force: SettingsInForce,
        build_triggers: BuildTriggers,
        build_sources: BuildSources,
        *,
        is_exporting: Callable[[Any], bool],
        service_name: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.in_force = in_force
        self.settings = in_force.settings
        self.service_name = service_name
        self._build_triggers = build_triggers
        self._build_sources = build_sources
        self._is_exporting = is_exporting
        self._clock = clock
        self._guard = Guard()
        self._lifecycle = threading.RLock()  # guards _flight and _processors' session
        self._flight: Flight | None = None
        self._final_statistics = Statistics()
        self._termination = TerminationHandler(self._end, self.settings.shutdown_seconds + 1)
        self._processors: weakref.WeakSet[RecordingSpanProcessor] = weakref.WeakSet()
        self._register_fork_hook()

    def start(self) -> None:
        """Begin to record. Does nothing when it records already, or when `enabled` is off.

        Allocates the window, which takes some milliseconds, and starts the ticker's thread.
        """
        with self._lifecycle:
            if self._flight is not None or not self.settings.enabled:
                return
            flight = self._new_flight()
            flight.open()
            self._board(flight)
            atexit.register(self.stop)
            if self.settings.handle_sigterm:
                self._termination.start()

    def stop(self, timeout_seconds: float | None = None) -> None:
        """Stop recording; finish or spool what is open; does nothing when stopped.

        Blocks, no longer than about the timeout.

        Args:
            timeout_seconds: None: the setting `shutdown_seconds`.
        """
        with self._lifecycle:
            flight, self._flight = self._flight, None
            for processor in list(self._processors):
                processor.is_recording = False
            if flight is None:
                return
            if flight.session.pid != os.getpid():
                flight.abandon()
                return
            limit = self.settings.shutdown_seconds if timeout_seconds is None else timeout_seconds
            with self._guard.swallow("stop"):
                flight.finish(limit)
                self._final_statistics = self._statistics(flight, is_recording=False)
                flight.session.close()
            atexit.unregister(self.stop)
            self._termination.stop()

    @property
    def enabled(self) -> bool:
        """Whether spans are recorded now."""
        return self._flight is not None

    def trigger(self, reason: str, **attributes: Any) -> str | None:
        """Make an incident of the window now, or join the one that is open.

        Blocks for microseconds; the window is copied within a tick, by another thread. Any thread.

        Args:
            reason: what happened, in a few words of low cardinality; causes with the same reason
                share a cooldown.
            **attributes: more about it, shown with the incident.

        Returns:
            The incident's id; None when the gate refused it for cooldown or budget, which
            `statistics().firings` tells, or when the recorder is stopped or this trigger is off.
        """
        flight = self._flight
        if flight is None or flight.triggers.manual_firing is None:
            return None
        verdict = flight.fire(flight.triggers.manual_firing(str(reason), attributes))
        return None if verdict is None else verdict.incident_id

    def snapshot(self) -> Incident:
        """Return the window as it is now, without making an incident. Blocks for milliseconds.

        Raises:
            RecorderStopped: nothing is recorded.
        """
        flight = self._flight
        if flight is None:
            raise RecorderStopped("snapshot")
        return flight.keeper.snapshot()

    def write_to(self, target: str | os.PathLike[str] | BinaryIO) -> Incident:
        """Write the window as it is now, as a `.flight` file, to a path or a binary stream.

        Returns:
            What was written.

        Raises:
            RecorderStopped: nothing is recorded.
            OSError: the file or stream could not be written.
        """
        incident = self.snapshot()
        if isinstance(target, (str, os.PathLike)):
            write_file(incident, Path(target))
        else:
            write_stream(incident, target)
        return incident

    def statistics(self) -> Statistics:
        """Return totals since the last start, also after the stop. Blocks for microseconds."""
        flight = self._flight
        return self._final_statistics if flight is None else self._statistics(flight)

    def _statistics(self, flight: Flight, *, is_recording: bool = True) -> Statistics:
        session, ring = flight.session, flight.session.ring
        path = ring.backing.path if ring is not None else None
        return Statistics(
            is_recording=is_recording,
            ring_path=str(path) if path is not None else "",
            window_bytes=len(ring.backing.memory) if ring is not None else 0,
            window_seconds=_reach_seconds(flight),
            spans=session.lanes[LANE_SPANS].counts(),
            runtime=session.lanes[LANE_RUNTIME].counts(),
            open_spans=len(session.open_spans.spans),
            open_spans_evicted=session.open_spans.evicted,
            converted_values=session.encoder.converted,
            cut_records=session.encoder.cut_records,
            firings=flight.gate.counts(),
            repeated_firings=flight.inbox.repeated,
            dropped_firings=flight.inbox.dropped,
            incidents_written=flight.keeper.written,
            incidents_failed=flight.keeper.failed,
            delivery=flight.flusher.statistics(),
            log_delivery=flight.flusher.log_statistics(),
            sources={
                source.name: source.counts()
                for source in flight.sources
                if isinstance(source, Counting)
            },
            errors=self._guard.errors(),
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def connect(self, processor: RecordingSpanProcessor) -> None:
        """Let a processor record whenever this recorder does."""
        with self._lifecycle:
            self._processors.add(processor)
            if self._flight is not None:
                _record(processor, self._flight)

    def _new_flight(self) -> Flight:
        return Flight(
            settings=self.settings,
            service_name=self.service_name,
            clock=self._clock,
            guard=self._guard,
            build_triggers=self._build_triggers,
            build_sources=self._build_sources,
            is_pipeline_exporting=self._is_pipeline_exporting,
        )

    def _board(self, flight: Flight) -> None:
        self._flight = flight
        for processor in list(self._processors):
            _record(processor, flight)

    def _is_pipeline_exporting(self) -> bool:
        return any(self._is_exporting(processor.pipeline) for processor in list(self._processors))

    def _end(self) -> None:
        with self._guard.swallow("end"):
            self.stop()

    def _register_fork_hook(self) -> None:
        weak_hook = weakref.WeakMethod(self._after_fork)

        def after_in_child() -> None:
            hook = weak_hook()
            if hook is not None:
                hook()

        os.register_at_fork(after_in_child=after_in_child)

    def _after_fork(self) -> None:
        """Let go of the parent's flight; the child's begins with its first span, if it has any.

        Most children replace themselves by another program at once, and need none.
        """
        self._lifecycle = threading.RLock()
        self._termination.forked()
        flight, self._flight = self._flight, None
        if flight is None:
            return
        for processor in list(self._processors):
            processor.is_recording = False
            processor.is_forked = True
        with self._guard.swallow("fork"):
            flight.abandon()

    def _begin_in_child(self) -> None:
        """Begin the child's flight, on the thread of its first span.

        uWSGI forks without running Python's fork hooks; then the parent's flight is still here.
        """
        if self._flight is not None:
            if self._flight.session.pid == os.getpid():
                return
            self._after_fork()
        flight = self._new_flight()
        self._board(flight)
        flight.open_in_background()


def _reach_seconds(flight: Flight) -> float:
    ring = flight.session.ring
    if ring is None:
        return 0.0
    oldest = next(ring.image.segments(LANE_SPANS), None)
    return 0.0 if oldest is None else (monotonic_ns() - oldest.opened_monotonic_ns) / 1e9


def _record(processor: RecordingSpanProcessor, flight: Flight) -> None:
    triggers = flight.triggers
    processor.record_into(flight.session, triggers.root_end, triggers.notable_end)
