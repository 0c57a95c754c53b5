"""The wiring: all sources, triggers, rules and settings. Adding one is one line in its list.

Only this module names concrete sources, triggers and rules; it needs nothing that records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.incidents.findings.causes.cpu_starved import RULE as CPU_STARVED
from otel_flight.incidents.findings.causes.event_loop_blocked import RULE as EVENT_LOOP_BLOCKED
from otel_flight.incidents.findings.causes.gc_pause import RULE as GC_PAUSE
from otel_flight.incidents.findings.causes.gil_held import RULE as GIL_HELD
from otel_flight.incidents.findings.causes.lock_wait import RULE as LOCK_WAIT
from otel_flight.incidents.findings.causes.memory_growth import RULE as MEMORY_GROWTH
from otel_flight.incidents.findings.causes.own_code import RULE as OWN_CODE
from otel_flight.incidents.findings.causes.own_wait import RULE as OWN_WAIT
from otel_flight.incidents.findings.causes.pool_exhausted import RULE as POOL_EXHAUSTED
from otel_flight.incidents.findings.causes.repeated_child import RULE as REPEATED_CHILD
from otel_flight.incidents.findings.causes.retries import RULE as RETRIES
from otel_flight.incidents.findings.causes.slow_downstream import RULE as SLOW_DOWNSTREAM
from otel_flight.incidents.findings.circumstances.cold_start import RULE as COLD_START
from otel_flight.incidents.findings.circumstances.ended_together import RULE as ENDED_TOGETHER
from otel_flight.incidents.findings.circumstances.others_suffered import (
    RULE as OTHERS_SUFFERED,
)
from otel_flight.incidents.findings.circumstances.requests_in_flight import (
    RULE as REQUESTS_IN_FLIGHT,
)
from otel_flight.incidents.findings.circumstances.unfinished import RULE as UNFINISHED
from otel_flight.incidents.findings.circumstances.unlike_good_requests import (
    RULE as UNLIKE_GOOD_REQUESTS,
)
from otel_flight.incidents.findings.circumstances.unusual_amount import RULE as UNUSUAL_AMOUNT
from otel_flight.incidents.findings.failures.cancelled_from_above import (
    RULE as CANCELLED_FROM_ABOVE,
)
from otel_flight.incidents.findings.failures.error_origin import RULE as ERROR_ORIGIN
from otel_flight.incidents.findings.failures.logged import RULE as LOGGED
from otel_flight.incidents.findings.failures.process_died import RULE as PROCESS_DIED
from otel_flight.incidents.findings.failures.swallowed_exception import RULE as SWALLOWED_EXCEPTION
from otel_flight.incidents.findings.failures.thread_died import RULE as THREAD_DIED
from otel_flight.incidents.findings.failures.unhandled_exception import RULE as UNHANDLED_EXCEPTION
from otel_flight.incidents.findings.places.own_function import RULE as OWN_FUNCTION
from otel_flight.incidents.findings.places.self_time import RULE as SELF_TIME
from otel_flight.incidents.findings.places.slow_child import RULE as SLOW_CHILD
from otel_flight.incidents.findings.rule import Rule
from otel_flight.incidents.findings.rulebook import Rulebook
from otel_flight.settings.fields import CoreSettings
from otel_flight.sources import (
    cpu_throttling,
    descheduling,
    event_loop,
    exceptions,
    gc_pauses,
    last_stacks,
    log_records,
    pressure,
    process_vitals,
    raised_exceptions,
    stack_samples,
)
from otel_flight.sources.base import SourceDescription
from otel_flight.triggers import (
    deadline,
    error_span,
    external,
    gc_pause,
    log_record,
    loop_stall,
    manual,
    memory_pressure,
    process_died,
    rare_value,
    signal_request,
    slow_open_root,
    slow_root,
    stuck_span,
    throttling,
    unhandled_exception,
)
from otel_flight.triggers.base import FAILURE, SLOWNESS, TriggerDescription

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
    last_stacks.SOURCE,
)
"""The sources of runtime events stand in the order of their lanes in an incident's trace."""

TRIGGERS: Final[tuple[TriggerDescription, ...]] = (
    error_span.TRIGGER,
    slow_root.TRIGGER,
    slow_open_root.TRIGGER,
    deadline.TRIGGER,
    stuck_span.TRIGGER,
    rare_value.TRIGGER,
    unhandled_exception.TRIGGER,
    process_died.TRIGGER,
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

RULES: Final[tuple[Rule, ...]] = (
    PROCESS_DIED,
    CANCELLED_FROM_ABOVE,
    UNHANDLED_EXCEPTION,
    LOGGED,
    ERROR_ORIGIN,
    SWALLOWED_EXCEPTION,
    THREAD_DIED,
    EVENT_LOOP_BLOCKED,
    GC_PAUSE,
    CPU_STARVED,
    GIL_HELD,
    MEMORY_GROWTH,
    LOCK_WAIT,
    POOL_EXHAUSTED,
    RETRIES,
    SLOW_DOWNSTREAM,
    REPEATED_CHILD,
    OWN_CODE,
    OWN_WAIT,
    SLOW_CHILD,
    OWN_FUNCTION,
    SELF_TIME,
    COLD_START,
    UNLIKE_GOOD_REQUESTS,
    UNUSUAL_AMOUNT,
    OTHERS_SUFFERED,
    ENDED_TOGETHER,
    UNFINISHED,
    REQUESTS_IN_FLIGHT,
)
"""The rules stand in the order of their findings where nothing else decides."""


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
    last_stacks.LastStacksSettings,
    error_span.ErrorSpanSettings,
    slow_open_root.SlowOpenRootSettings,
    deadline.DeadlineSettings,
    stuck_span.StuckSpanSettings,
    rare_value.RareValueSettings,
    unhandled_exception.ExceptionTriggerSettings,
    process_died.ProcessDiedSettings,
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
        rules: what is looked for in its incidents.
    """

    settings: type[Settings] = Settings
    sources: tuple[SourceDescription, ...] = SOURCES
    triggers: tuple[TriggerDescription, ...] = TRIGGERS
    rules: tuple[Rule, ...] = RULES

    @property
    def rulebook(self) -> Rulebook:
        """The rules, and which triggers fire for a failure and which for slowness."""
        return Rulebook(
            rules=self.rules,
            failure_triggers=frozenset(t.name for t in self.triggers if t.about == FAILURE),
            slow_triggers=frozenset(t.name for t in self.triggers if t.about == SLOWNESS),
        )


ASSEMBLY: Final = Assembly()
