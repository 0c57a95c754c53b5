"""Fires when an exception ends a thread, an asyncio task, or the process.

Not for exceptions of finalizers: those happen in healthy processes, and nothing ends by them.
"""

from __future__ import annotations

from typing import Final

from otel_flight.names import event_names, source_names, trigger_names
from otel_flight.names import exception_attributes as names
from otel_flight.names.attributes import FILE, FUNCTION
from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.base import Firing, FiringInbox


class UnhandledExceptionTrigger:
    """Watch the exceptions that are recorded, on the thread that records them."""

    name: Final = trigger_names.UNHANDLED_EXCEPTION

    def __init__(self, inbox: FiringInbox) -> None:
        self._inbox = inbox

    def event_recorded(self, event: RuntimeEvent) -> None:
        """Fire when nobody handled it."""
        if event.source != source_names.EXCEPTIONS or event.name != event_names.UNHANDLED_EXCEPTION:
            return
        attributes = event.attributes
        kind = str(attributes.get(names.TYPE, ""))
        # Not the line: an exception that comes from two lines of a function is the same cause.
        where = f"{attributes.get(FILE, '')} {attributes.get(FUNCTION, '')}"
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason=event_names.UNHANDLED_EXCEPTION,
                subject=kind,
                fingerprint=(self.name, kind, where),
                time_ns=event.start_ns,
                trace_id=event.trace_id,
                span_id=event.span_id,
                attributes=dict(attributes),
            )
        )
