"""The wiring: which sources and triggers there are, and the recorder that has them."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.resources import OTELResourceDetector

from otel_flight.recorder import Recorder
from otel_flight.recording.exporting_pipeline import is_exporting
from otel_flight.recording.runtime_events import EventHook
from otel_flight.recording.session import RecordingSession
from otel_flight.recording.span_processor import RecordingSpanProcessor
from otel_flight.self_metrics import SelfMetrics
from otel_flight.settings.fields import Settings
from otel_flight.settings.sources import find_settings, warn_once
from otel_flight.sources.base import Source, Surroundings
from otel_flight.sources.cpu_throttling import CpuThrottling
from otel_flight.sources.descheduling import Descheduling
from otel_flight.sources.event_loop import EventLoops
from otel_flight.sources.exceptions import UnhandledExceptions
from otel_flight.sources.gc_pauses import GcPauses
from otel_flight.sources.log_records import LogRecords
from otel_flight.sources.pressure import Pressure
from otel_flight.sources.process_vitals import ProcessVitals
from otel_flight.sources.raised_exceptions import RaisedExceptions
from otel_flight.sources.stack_samples import StackSamples
from otel_flight.triggers.base import FiringInbox
from otel_flight.triggers.error_span import ErrorSpanTrigger
from otel_flight.triggers.external import answer_external_request
from otel_flight.triggers.gc_pause import GcPauseTrigger
from otel_flight.triggers.log_record import LogRecordTrigger
from otel_flight.triggers.loop_stall import LoopStallTrigger
from otel_flight.triggers.manual import manual_firing
from otel_flight.triggers.memory_pressure import MemoryPressureTrigger
from otel_flight.triggers.roots.route_limits import RouteLimits
from otel_flight.triggers.signal_request import SignalTrigger
from otel_flight.triggers.slow_open_root import SlowOpenRootTrigger
from otel_flight.triggers.slow_root import SlowRootTrigger
from otel_flight.triggers.stuck_span import StuckSpanTrigger
from otel_flight.triggers.throttling import ThrottlingTrigger
from otel_flight.triggers.trigger_set import (
    Installed,
    NotableEndHook,
    RootEndHook,
    TriggerSet,
    unwatched,
)
from otel_flight.triggers.unhandled_exception import UnhandledExceptionTrigger


def build_triggers(settings: Settings, session: RecordingSession, inbox: FiringInbox) -> TriggerSet:
    """Return the triggers that the settings turn on."""
    root_end: RootEndHook = unwatched
    notable_end: NotableEndHook = unwatched
    watches = []
    installed: list[Installed] = []
    limits = RouteLimits(settings)
    if settings.error_span != "off":
        notable_end = ErrorSpanTrigger(settings, session.open_spans, inbox).span_ended
    if limits.is_any:
        root_end = SlowRootTrigger(limits, inbox).root_ended
        if settings.slow_open_root:
            watch = SlowOpenRootTrigger(limits, session.open_spans, inbox).watch
            watches.append((SlowOpenRootTrigger.name, watch))
    if settings.stuck_span_seconds is not None:
        stuck = StuckSpanTrigger(settings.stuck_span_seconds, session.open_spans, inbox)
        watches.append((stuck.name, stuck.watch))
    if settings.signal is not None:
        installed.append(SignalTrigger(settings.signal, inbox))
    return TriggerSet(
        root_end=root_end,
        notable_end=notable_end,
        event_hooks=tuple(_event_hooks(settings, session, inbox)),
        watches=tuple(watches),
        installed=tuple(installed),
        manual_firing=manual_firing if settings.manual_trigger else None,
        answer_request=answer_external_request if settings.external_trigger else None,
    )


def _event_hooks(
    settings: Settings, session: RecordingSession, inbox: FiringInbox
) -> list[EventHook]:
    """Return the triggers that look at runtime events."""
    hooks: list[EventHook] = []
    if settings.gc_pause_trigger_seconds is not None:
        hooks.append(GcPauseTrigger(settings.gc_pause_trigger_seconds, inbox).event_recorded)
    if settings.memory_trigger_share is not None:
        memory = MemoryPressureTrigger(settings.memory_trigger_share, inbox)
        hooks.append(memory.event_recorded)
    if settings.throttling_trigger_share is not None:
        throttling = ThrottlingTrigger(settings.throttling_trigger_share, session.open_spans, inbox)
        hooks.append(throttling.event_recorded)
    if settings.exceptions and settings.exception_trigger:
        hooks.append(UnhandledExceptionTrigger(inbox).event_recorded)
    if settings.log_trigger_level is not None:
        hooks.append(LogRecordTrigger(settings.log_trigger_level, inbox).event_recorded)
    if settings.loop_stall_trigger_seconds is not None:
        stall = LoopStallTrigger(settings.loop_stall_trigger_seconds, inbox)
        hooks.append(stall.event_recorded)
    return hooks


def build_sources(surroundings: Surroundings) -> tuple[Source, ...]:
    """Return the sources that the settings turn on."""
    settings = surroundings.settings
    sources: list[Source] = []
    if settings.gc_pause_seconds is not None:
        sources.append(GcPauses(surroundings))
    if settings.loop_stall_seconds is not None:
        sources.append(EventLoops(surroundings))
    if settings.stacks_after_seconds is not None:
        sources.append(StackSamples(surroundings))
    if settings.log_level is not None or settings.log_trigger_level is not None:
        sources.append(LogRecords(surroundings))
    if settings.process_seconds is not None:
        sources.append(ProcessVitals(surroundings))
    if settings.throttling:
        sources.append(CpuThrottling(surroundings))
        sources.append(Pressure(surroundings))
    if settings.descheduled_seconds is not None:
        sources.append(Descheduling(surroundings))
    if settings.exceptions:
        sources.append(UnhandledExceptions(surroundings))
    if settings.raised_exceptions:
        sources.append(RaisedExceptions(surroundings))
    return tuple(sources)


class FlightRecorder(Recorder):
    """A flight recorder: the last spans of this process in a bounded window, kept on incidents.

    Settings come from the arguments, else from the environment (`OTEL_FLIGHT_*`), else they have
    their defaults. A wrong argument raises; a wrong variable warns once and the default is used.

    Args:
        settings: complete settings; the environment is not read.
        **overrides: single settings by their field names, e.g. `window_bytes="4MiB"`.

    Raises:
        InvalidSetting: an argument has a value its setting cannot have.
        UnknownSetting: there is no setting of that name.

    Example::

        with FlightRecorder(slow_root_seconds=0.5) as recorder:
            provider.add_span_processor(FlightSpanProcessor(recorder))
    """

    def __init__(self, settings: Settings | None = None, **overrides: Any) -> None:
        in_force = find_settings(settings, overrides)
        warn_once(in_force.problems)
        super().__init__(
            in_force,
            build_triggers,
            build_sources,
            is_exporting=is_exporting,
            service_name=_service_name_from_environment(),
        )
        self._self_metrics = SelfMetrics(self) if self.settings.metrics else None


class FlightSpanProcessor(RecordingSpanProcessor):
    """The span processor that feeds a recorder. Register it before or after exporting processors.

    Spans that the sampler drops never reach a span processor: wrap the provider's sampler in
    `FlightSampler`, or use `install()`, which does.

    Args:
        recorder: which recorder to feed, started if need be; None: a new one, with settings from
            the environment, that stops when the provider is shut down.
    """

    def __init__(self, recorder: FlightRecorder | None = None) -> None:
        self.recorder: FlightRecorder = FlightRecorder() if recorder is None else recorder
        super().__init__(self.recorder._begin_in_child, self.recorder._guard)
        self.recorder.connect(self)
        self.recorder.start()

    def shutdown(self) -> None:
        """Stop the recorder: finish or spool what is open, within `shutdown_seconds`."""
        self.recorder.stop()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return True: what is recorded is in the window at once, there is nothing to flush."""
        return True


def _service_name_from_environment() -> str:
    return str(OTELResourceDetector().detect().attributes.get("service.name", ""))
