"""Fires when the application logs something at or above a level. Off unless a level is named."""

from __future__ import annotations

import logging
from typing import Final

from otel_flight.names import log_attributes as names
from otel_flight.names import source_names, trigger_names
from otel_flight.names.attributes import FILE, LINE
from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.base import Firing, FiringInbox


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
