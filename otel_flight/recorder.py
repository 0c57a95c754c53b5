"""The recorder as the application holds it: start, stop, trigger, snapshot, statistics.

Everything here is idempotent and for any thread. The hot path is elsewhere: in
`recording/span_processor.py`. What records is imported when recording begins: a process that makes
no span does without, and starts the faster.
"""

from __future__ import annotations

import os
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from opentelemetry.sdk.resources import OTELResourceDetector
from typing_extensions import Self

from otel_flight.errors import RecorderStopped
from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.ground.guard import Guard
from otel_flight.recording.span_processor import RecordingSpanProcessor
from otel_flight.running.factory import RecorderParts, RunFactory
from otel_flight.running.runs import Runs
from otel_flight.settings.asked import AskedSettings
from otel_flight.settings.fields import CoreSettings
from otel_flight.settings.sources import SettingsInForce

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from otel_flight.assembly import Assembly, Settings
    from otel_flight.incidents.incident import Incident
    from otel_flight.running.run import Run
    from otel_flight.running.statistics import Statistics


class FlightRecorder:
    """A flight recorder: the last spans of this process in a bounded window, kept on incidents.

    Settings come from the arguments, else from the environment (`OTEL_FLIGHT_*`), else they have
    their defaults. A wrong argument raises; a wrong variable warns once and the default is used.

    Args:
        settings: complete settings, for which the environment is not read; or settings in force, as
            `otel_flight.settings.sources` finds them, or asked for, as in `settings.asked`.
        service_name: the service's name, if it is known before the first span; None: the
            environment is asked.
        exporter: what the spans of incidents are sent through; None: what the settings choose. It
            stays yours: nothing shuts it down, unless it hangs when the recorder stops. In a
            process that forks it must survive that; a gRPC channel does not.
        clock: the clock that incidents, triggers and sources go by; a fake one in tests.
        assembly: which sources, triggers and rules there are; None: all.
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
        settings: Settings | SettingsInForce[Settings] | AskedSettings | None = None,
        *,
        service_name: str | None = None,
        exporter: SpanExporter | None = None,
        clock: Clock = SYSTEM_CLOCK,
        assembly: Assembly | None = None,
        **overrides: Any,
    ) -> None:
        if not isinstance(settings, (SettingsInForce, AskedSettings)):
            settings = AskedSettings(settings, overrides)
        if service_name is None:
            service_name = str(OTELResourceDetector().detect().attributes.get("service.name", ""))
        read = weakref.WeakMethod(self.statistics)
        parts = RecorderParts(service_name, exporter, clock, assembly, read)
        guard = Guard()
        self._runs = Runs(RunFactory(settings, parts, guard), guard)

    @property
    def in_force(self) -> SettingsInForce[Settings]:
        """All settings, and where each comes from."""
        return self._runs.factory.in_force

    def is_asked_for_by(self, settings: object) -> bool:
        """Return whether these are the settings that the recorder was made with."""
        return settings == self._runs.factory.asked

    @property
    def settings(self) -> Settings:
        """All settings."""
        return self._runs.factory.in_force.settings

    @property
    def core_settings(self) -> CoreSettings:
        """The settings that every recorder has, whatever it sees and fires for."""
        return self._runs.factory.core

    @property
    def _run(self) -> Run | None:
        return self._runs.begun()

    def start(self) -> None:
        """Begin to record. Does nothing when it records already, or when `enabled` is off.

        Imports what is needed, allocates the window and starts the ticker's thread, which takes
        some tenths of a second. Where that cannot be done one warning says so, and nothing is
        recorded.
        """
        self._runs.begin()

    def stop(self, timeout_seconds: float | None = None) -> None:
        """Stop recording; close the incident that is open, write it and deliver it if time is left.

        Does nothing when it is stopped. Blocks, no longer than about the timeout. What is not
        delivered stays in the spool.

        Args:
            timeout_seconds: how long it may take; None: the setting `shutdown_seconds`.
        """
        self._runs.end(timeout_seconds)

    @property
    def enabled(self) -> bool:
        """Whether spans are recorded, from the first one on: not after a stop, nor when off."""
        return self._runs.is_on

    def trigger(self, reason: str, **attributes: Any) -> str | None:
        """Make an incident of the window now, or join the one that is open.

        Blocks for microseconds, while recording begins for as long as that takes; the window is
        copied within a tick, by another thread. Any thread.

        Args:
            reason: what happened, in a few words of low cardinality; causes with the same reason
                share a cooldown.
            **attributes: more about it, shown with the incident.

        Returns:
            The incident's id; None when the gate refused it for cooldown or budget, which
            `statistics().firings` tells, or when the recorder is stopped or this trigger is off.
        """
        run = self._runs.begun()
        if run is None or run.triggers.manual_firing is None:
            return None
        verdict = run.fire(run.triggers.manual_firing(str(reason), attributes))
        return None if verdict is None else verdict.incident_id

    def snapshot(self) -> Incident:
        """Return the window as it is now, without making an incident. Blocks for milliseconds.

        Raises:
            RecorderStopped: nothing is recorded.
        """
        run = self._runs.begun()
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
        self._runs.factory.write(incident, target)
        return incident

    def statistics(self) -> Statistics:
        """Return totals since the last start, also after the stop. Blocks for microseconds."""
        return self._runs.statistics()

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
        """Let a processor record whenever this recorder does, and begin with its first span."""
        self._runs.connect(processor)

    def disconnect(self, processor: RecordingSpanProcessor) -> None:
        """Let a processor record no more; the last one takes the recorder with it."""
        self._runs.disconnect(processor)
