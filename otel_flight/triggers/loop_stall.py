"""Fires when an event loop is blocked for longer than a limit, also while it still is."""

from __future__ import annotations

from typing import Final

from otel_flight.names import attributes as names
from otel_flight.names import source_names, trigger_names
from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.base import Firing, FiringInbox


class LoopStallTrigger:
    """Look at each stall that is recorded; on the ticker's thread.

    Args:
        limit_seconds: how long a stall must take.
        inbox: where firings go.
    """

    name: Final = trigger_names.LOOP_STALL

    def __init__(self, limit_seconds: float, inbox: FiringInbox) -> None:
        self._limit_ns = int(limit_seconds * 1e9)
        self._inbox = inbox
        self._fired: tuple[int, int] = (0, 0)

    def event_recorded(self, event: RuntimeEvent) -> None:
        """Fire, once, for a stall that is over the limit."""
        if event.source != source_names.EVENT_LOOP or event.duration_ns < self._limit_ns:
            return
        stall = event.thread_id, event.start_ns
        if stall == self._fired:  # while it went on
            return
        self._fired = stall
        function = str(event.attributes.get(names.FUNCTION, ""))
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason=event.name,
                subject=function,
                fingerprint=(self.name, event.name, function),
                time_ns=event.end_ns,
                trace_id=event.trace_id,
                span_id=event.span_id,
                attributes={
                    names.DURATION: event.duration_ns,
                    names.LIMIT: self._limit_ns,
                    **{
                        name: event.attributes[name]
                        for name in (names.FUNCTION, names.FILE, names.LINE, names.CALL)
                        if name in event.attributes
                    },
                },
            )
        )
