"""Fires when the application logs an exception as an error within a request, or at a chosen level.

Some errors reach the log alone: whoever caught the exception wrote it down, and went on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from otel_flight.names import exception_attributes as exceptions
from otel_flight.names import log_attributes as names
from otel_flight.names import source_names, trigger_names
from otel_flight.names.attributes import FILE, LINE
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    FAILURE,
    Hooks,
    TriggerContext,
    TriggerDescription,
)
from otel_flight.triggers.gate.firing import Firing

_NEVER: Final = 1 << 30
_INSTRUMENTATION: Final = "opentelemetry."
"""What loggers of these names say is about telemetry, such as a context that another one had."""


@dataclass(frozen=True, kw_only=True)
class LogRecordTriggerSettings(SettingsGroup):
    """Which log record makes an incident."""

    log_trigger_level: str | None = setting_field(
        "LOG_TRIGGER", None, kinds.or_off(kinds.log_level())
    )
    """From which level on a log record makes an incident. Such records are recorded in any case."""

    log_exception_trigger: bool = setting_field("LOG_EXCEPTION_TRIGGER", True, kinds.flag())
    """Whether a log record of level ERROR or above that has an exception makes an incident, in
    whatever a local root is open for."""


class LogRecordTrigger:
    """Watch the log records that are recorded, on the thread that logs."""

    name: Final = trigger_names.LOG_RECORD

    def __init__(self, settings: LogRecordTriggerSettings, context: TriggerContext) -> None:
        level = settings.log_trigger_level
        self._level = _NEVER if level is None else int(logging.getLevelName(level))
        self._error_level = logging.ERROR if settings.log_exception_trigger else _NEVER
        self._open_spans = context.open_spans
        self._inbox = context.inbox
        self._errors_below = context.errors_below

    def event_recorded(self, event: RuntimeEvent) -> None:
        """Fire when its level is high enough. The same cause is the same line of the program."""
        if event.source != source_names.LOGS:
            return
        level = event.attributes.get(names.LEVEL, 0)
        if level >= self._level:
            self._inbox.offer(self._firing(event))
        elif level >= self._error_level and exceptions.TYPE in event.attributes:
            self._exception_logged(event)

    def _exception_logged(self, event: RuntimeEvent) -> None:
        root_id = self._open_spans.local_root_id(event.span_id)
        if root_id in {0, *self._open_spans.silent}:
            return
        if not str(event.attributes[names.LOGGER]).startswith(_INSTRUMENTATION):
            self._errors_below.add(root_id, self._firing(event))

    def _firing(self, event: RuntimeEvent) -> Firing:
        attributes = event.attributes
        logger, severity = str(attributes[names.LOGGER]), str(attributes[names.SEVERITY])
        place = f"{attributes.get(FILE, '')}:{attributes.get(LINE, '')}"
        return Firing(
            trigger=self.name,
            reason=f"log record {severity}",
            subject=logger,
            fingerprint=(self.name, logger, severity, place),
            time_ns=event.start_ns,
            trace_id=event.trace_id,
            span_id=event.span_id,
            attributes=dict(attributes),
        )


def _build(settings: LogRecordTriggerSettings, context: TriggerContext) -> Hooks | None:
    if settings.log_trigger_level is None and not settings.log_exception_trigger:
        return None
    return Hooks(event_recorded=LogRecordTrigger(settings, context).event_recorded)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.LOG_RECORD,
    about=FAILURE,
    settings=LogRecordTriggerSettings,
    build=_build,
    docs="how-to/triggers/log-record.md",
)
