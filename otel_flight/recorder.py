"""The recorder as the application holds it: start, stop, trigger, snapshot, statistics.

Everything here is idempotent and for any thread. The hot path is elsewhere: in
`recording/span_processor.py`.
"""

from __future__ import annotations

import atexit
import os
import weakref
from types import TracebackType
from typing import Any, BinaryIO

from opentelemetry.sdk.resources import OTELResourceDetector
from opentelemetry.sdk.trace.export import SpanExporter
from typing_extensions import Self

from otel_flight.assembly import ASSEMBLY, Assembly, Settings
from otel_flight.clock import SYSTEM_CLOCK, Clock
from otel_flight.errors import RecorderStopped
from otel_flight.fork_hooks import register_fork_hooks
from otel_flight.guard import Guard
from otel_flight.incidents.flight_file import write_to
from otel_flight.incidents.incident import Incident
from otel_flight.native import allocate_reentrant_lock
from otel_flight.recording.exporting_pipeline import is_exporting
from otel_flight.recording.span_processor import RecordingSpanProcessor
from otel_flight.run import Run
from otel_flight.self_metrics import SelfMetrics
from otel_flight.settings.sources import SettingsInForce, find_settings, warn_once
from otel_flight.statistics import Statistics
from otel_flight.termination import TERMINATION, Join, Unfinished


class FlightRecorder:
    """A flight recorder: the last spans of this process in a bounded window, kept on incidents.

    Settings come from the arguments, else from the environment (`OTEL_FLIGHT_*`), else they have
    their defaults. A wrong argument raises; a wrong variable warns once and the default is used.

    Args:
        settings: complete settings, for which the environment is not read; or settings in force, as
            `otel_flight.settings.sources` finds them.
        service_name: the service's name, if it is known before the first span; None: the
            environment is asked.
        exporter: what the spans of incidents are sent through; None: what the settings choose. It
            stays yours: nothing shuts it down, unless it hangs when the recorder stops. In a
            process that forks it must survive that; a gRPC channel does not.
        clock: the clock that incidents, triggers and sources go by; a fake one in tests.
        assembly: which sources, triggers and rules there are.
        **overrides: single settings by their field names, e.g. `window_bytes="4MiB"`.

    Raises:
        InvalidSetting: an argument has a value its setting cannot have.
        UnknownSetting: there is no setting of that name.

    Example::

        with FlightRecorder(slow_root_seconds=0.5) as recorder:
            provider.add_span_processor(FlightSpanProcessor(recorder))
    """

    def __init__(
        self,
        settings: Settings | SettingsInForce[Settings] | None = None,
        *,
        service_name: str | None = None,
        exporter: SpanExporter | None = None,
        clock: Clock = SYSTEM_CLOCK,
        assembly: Assembly = ASSEMBLY,
        **overrides: Any,
    ) -> None:
        if not isinstance(settings, SettingsInForce):
            settings = find_settings(assembly.settings, settings, overrides)
        warn_once(settings.problems)
        self.in_force = settings
        self.settings = settings.settings
        self._service_name = _name_in_environment() if service_name is None else service_name
        self._exporter = exporter
        self._clock = clock
        self._assembly = assembly
        self._guard = Guard()
        self._lifecycle = allocate_reentrant_lock()  # guards _run and _processors' session
        self._run: Run | None = None
        self._final_statistics = Statistics()
        self._unfinished = Unfinished(self.settings.shutdown_seconds, self._end_soon)
        self._join: Join | None = None
        self._processors: weakref.WeakSet[RecordingSpanProcessor] = weakref.WeakSet()
        register_fork_hooks(self._current_run, self._after_fork)
        read = weakref.WeakMethod(self.statistics)
        self._self_metrics = SelfMetrics(read) if self.settings.metrics else None

    def start(self) -> None:
        """Begin to record. Does nothing when it records already, or when `enabled` is off.

        Allocates the window, which takes some milliseconds, and starts the ticker's thread.
        """
        with self._lifecycle:
            if self._run is not None or not self.settings.enabled:
                return
            run = self._new_run()
            run.open()
            self._begin(run)
            atexit.register(self.stop)
            if self.settings.handle_sigterm:
                TERMINATION.add(self._unfinished)

    def stop(self, timeout_seconds: float | None = None) -> None:
        """Stop recording; close the incident that is open, write it and deliver it if time is left.

        Does nothing when it is stopped. Blocks, no longer than about the timeout. What is not
        delivered stays in the spool.

        Args:
            timeout_seconds: how long it may take; None: the setting `shutdown_seconds`.
        """
        with self._lifecycle:
            run, self._run = self._run, None
            for processor in list(self._processors):
                processor.is_recording = False
            if run is None:
                return
            if run.session.pid != os.getpid():
                run.abandon()
                return
            limit = self.settings.shutdown_seconds if timeout_seconds is None else timeout_seconds
            with self._guard.swallow("stop"):
                run.finish(limit)
                self._final_statistics = run.statistics(is_recording=False)
                run.session.close()
            atexit.unregister(self.stop)
            TERMINATION.remove(self._unfinished)

    @property
    def enabled(self) -> bool:
        """Whether spans are recorded now: after a start, before the stop."""
        return self._run is not None

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
        run = self._run
        if run is None or run.triggers.manual_firing is None:
            return None
        verdict = run.fire(run.triggers.manual_firing(str(reason), attributes))
        return None if verdict is None else verdict.incident_id

    def snapshot(self) -> Incident:
        """Return the window as it is now, without making an incident. Blocks for milliseconds.

        Raises:
            RecorderStopped: nothing is recorded.
        """
        run = self._run
        if run is None:
            raise RecorderStopped("snapshot")
        return run.incidents.snapshot()

    def write_to(self, target: str | os.PathLike[str] | BinaryIO) -> Incident:
        """Write the window as it is now, as a `.flight` file. Blocks for milliseconds.

        Args:
            target: a path, where a whole file appears or none; or a binary stream.

        Returns:
            What was written, as `snapshot` returns it.

        Raises:
            RecorderStopped: nothing is recorded.
            OSError: the file or stream could not be written.
        """
        incident = self.snapshot()
        write_to(incident, target)
        return incident

    def statistics(self) -> Statistics:
        """Return totals since the last start, also after the stop. Blocks for microseconds."""
        run = self._run
        return self._final_statistics if run is None else run.statistics(is_recording=True)

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
            if self._run is not None:
                _record(processor, self._run)

    def disconnect(self, processor: RecordingSpanProcessor) -> None:
        """Let a processor record no more; the last one takes the recorder with it."""
        with self._lifecycle:
            processor.is_recording = processor.is_forked = False
            self._processors.discard(processor)
            if not self._processors:
                self.stop()

    def _new_run(self) -> Run:
        return Run(
            settings=self.settings,
            service_name=self._service_name,
            clock=self._clock,
            guard=self._guard,
            assembly=self._assembly,
            exporter=self._exporter,
            is_pipeline_exporting=self._is_pipeline_exporting,
        )

    def _begin(self, run: Run) -> None:
        self._run = run
        for processor in list(self._processors):
            _record(processor, run)

    def _is_pipeline_exporting(self) -> bool:
        return any(is_exporting(processor.pipeline) for processor in list(self._processors))

    def _end_soon(self) -> Join | None:
        run = self._run
        if self._join is None and run is not None:
            self._join = run.end_with(self._end)
        return self._join

    def _end(self) -> None:
        with self._guard.swallow("end"):
            self.stop()

    def _current_run(self) -> Run | None:
        return self._run

    def _after_fork(self) -> None:
        """Let go of the parent's run; the child's begins with its first span, if it has any."""
        self._lifecycle = allocate_reentrant_lock()
        self._join = None
        run, self._run = self._run, None
        if run is None:
            return
        for processor in list(self._processors):
            processor.is_recording = False
            processor.is_forked = True
        with self._guard.swallow("fork"):
            run.abandon()

    def _begin_in_child(self) -> None:
        """Begin the child's run, on the thread of its first span.

        uWSGI forks without Python's fork hooks; then the parent's run is still here.
        """
        if self._run is not None:
            if self._run.session.pid == os.getpid():
                return
            self._after_fork()
        run = self._new_run()
        self._begin(run)
        run.open_in_background()
        if self.settings.handle_sigterm:
            TERMINATION.add(self._unfinished)


def _record(processor: RecordingSpanProcessor, run: Run) -> None:
    triggers = run.triggers
    processor.record_into(
        run.session,
        triggers.root_ended,
        triggers.span_ended,
        shows_events=triggers.wants_events,
    )


def _name_in_environment() -> str:
    return str(OTELResourceDetector().detect().attributes.get("service.name", ""))
