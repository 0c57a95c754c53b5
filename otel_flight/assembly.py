"""The wiring: all sources, triggers and settings there are. Adding one is one line in each list.

Only this module names concrete sources and triggers; it needs nothing that records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.settings.fields import CoreSettings
from otel_flight.sources import (
    cpu_throttling,
    descheduling,
    event_loop,
    exceptions,
    gc_pauses,
    log_records,
    pressure,
    process_vitals,
    raised_exceptions,
    stack_samples,
)
from otel_flight.sources.base import SourceDescription
from otel_flight.triggers import (
    error_span,
    external,
    gc_pause,
    log_record,
    loop_stall,
    manual,
    memory_pressure,
    signal_request,
    slow_open_root,
    slow_root,
    stuck_span,
    throttling,
    unhandled_exception,
)
from otel_flight.triggers.base import TriggerDescription

SOURCES: Final[tuple[SourceDescription, ...]] = (
    event_loop.SOURCE,
    gc_pauses.SOURCE,
    stack_samples.SOURCE,
    log_records.SOURCE,
    exceptions.SOURCE,
    raised_exceptions.SOURCE,
    process_vitals.SOURCE,
    descheduling.SOURCE,
    cpu_throttling.SOURCE,
    pressure.SOURCE,
)
"""The sources of runtime events stand in the order of their lanes in an incident's trace."""

TRIGGERS: Final[tuple[TriggerDescription, ...]] = (
    error_span.TRIGGER,
    slow_root.TRIGGER,
    slow_open_root.TRIGGER,
    stuck_span.TRIGGER,
    unhandled_exception.TRIGGER,
    log_record.TRIGGER,
    loop_stall.TRIGGER,
    gc_pause.TRIGGER,
    memory_pressure.TRIGGER,
    throttling.TRIGGER,
    manual.TRIGGER,
    external.TRIGGER,
    signal_request.TRIGGER,
)
"""The triggers stand in the order of their settings in the configuration reference."""


@dataclass(frozen=True, kw_only=True)
class Settings(
    CoreSettings,
    event_loop.LoopStallSettings,
    gc_pauses.GcPauseSettings,
    stack_samples.StackSettings,
    log_records.LogSettings,
    exceptions.ExceptionSettings,
    raised_exceptions.RaisedExceptionSettings,
    process_vitals.ProcessSettings,
    descheduling.DeschedulingSettings,
    cpu_throttling.ThrottlingSettings,
    error_span.ErrorSpanSettings,
    slow_open_root.SlowOpenRootSettings,
    stuck_span.StuckSpanSettings,
    unhandled_exception.ExceptionTriggerSettings,
    log_record.LogRecordTriggerSettings,
    loop_stall.LoopStallTriggerSettings,
    gc_pause.GcPauseTriggerSettings,
    memory_pressure.MemoryPressureTriggerSettings,
    throttling.ThrottlingTriggerSettings,
    manual.ManualSettings,
    external.ExternalSettings,
    signal_request.SignalSettings,
):
    """How the flight recorder behaves: all settings of all its parts.

    Every field takes a value of its type, or a text in the syntax of its environment variable
    (``window_seconds="2m"``), and holds the former afterwards. The environment itself is not read
    here: see ``otel_flight.settings.sources``.

    Raises:
        InvalidSetting: A value that the field cannot have.
    """


@dataclass(frozen=True)
class Assembly:
    """What a recorder is made of, besides what every recorder has.

    Attributes:
        settings: the class of its settings, with those of all sources and triggers.
        sources: the sources that it may have, as the settings say.
        triggers: the triggers that it may have.
    """

    settings: type[Settings] = Settings
    sources: tuple[SourceDescription, ...] = SOURCES
    triggers: tuple[TriggerDescription, ...] = TRIGGERS


ASSEMBLY: Final = Assembly()
