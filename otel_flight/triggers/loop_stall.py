"""Fires when an event loop is blocked for longer than a limit, also while it still is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.names import attributes as names
from otel_flight.names import source_names, trigger_names
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    OTHER,
    Hooks,
    TriggerContext,
    TriggerDescription,
)
from otel_flight.triggers.gate.firing import Firing, FiringInbox


@dataclass(frozen=True, kw_only=True)
class LoopStallTriggerSettings(SettingsGroup):
    """Which stall of an event loop makes an incident."""

    loop_stall_trigger_seconds: float | None = setting_field(
        "LOOP_STALL_TRIGGER", 1.0, kinds.limit()
    )
    """How long an event loop must be blocked to make an incident."""


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


def _build(settings: LoopStallTriggerSettings, context: TriggerContext) -> Hooks | None:
    if settings.loop_stall_trigger_seconds is None:
        return None
    trigger = LoopStallTrigger(settings.loop_stall_trigger_seconds, context.inbox)
    return Hooks(event_recorded=trigger.event_recorded)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.LOOP_STALL,
    about=OTHER,
    settings=LoopStallTriggerSettings,
    build=_build,
    docs="how-to/triggers/loop-stall.md",
)
