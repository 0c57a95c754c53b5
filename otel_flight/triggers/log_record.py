"""Fires when the application logs something at or above a level. Off unless a level is named."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

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
from otel_flight.triggers.gate.firing import Firing, FiringInbox


@dataclass(frozen=True, kw_only=True)
class LogRecordTriggerSettings(SettingsGroup):
    """Which log record makes an incident."""

    log_trigger_level: str | None = setting_field(
        "LOG_TRIGGER", None, kinds.or_off(kinds.log_level())
    )
    """From which level on a log record makes an incident. Such records are recorded in any case."""


class LogRecordTrigger:
    """Watch the log records that are recorded, on the thread that logs.

    Args:
        level: the name of a level.
        inbox: where firings go.
    """

    name: Final = trigger_names.LOG_RECORD

    def __init__(self, level: str, inbox: FiringInbox) -> None:
        self._level = int(logging.getLevelName(level))
        self._inbox = inbox

    def event_recorded(self, event: RuntimeEvent) -> None:
        """Fire when its level is high enough. The same cause is the same line of the program."""
        if event.source != source_names.LOGS:
            return
        attributes = event.attributes
        if attributes.get(names.LEVEL, 0) < self._level:
            return
        logger, severity = str(attributes[names.LOGGER]), str(attributes[names.SEVERITY])
        place = f"{attributes.get(FILE, '')}:{attributes.get(LINE, '')}"
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason=f"log record {severity}",
                subject=logger,
                fingerprint=(self.name, logger, severity, place),
                time_ns=event.start_ns,
                trace_id=event.trace_id,
                span_id=event.span_id,
                attributes=dict(attributes),
            )
        )


def _build(settings: LogRecordTriggerSettings, context: TriggerContext) -> Hooks | None:
    if settings.log_trigger_level is None:
        return None
    trigger = LogRecordTrigger(settings.log_trigger_level, context.inbox)
    return Hooks(event_recorded=trigger.event_recorded)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.LOG_RECORD,
    about=FAILURE,
    settings=LogRecordTriggerSettings,
    build=_build,
    docs="how-to/triggers/log-record.md",
)
