"""Fires when one garbage collection stopped the process for long."""

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
class GcPauseTriggerSettings(SettingsGroup):
    """Which pause by garbage collection makes an incident."""

    gc_pause_trigger_seconds: float | None = setting_field("GC_PAUSE_TRIGGER", 1.0, kinds.limit())
    """How long a garbage collection must take to make an incident."""


class GcPauseTrigger:
    """Watch the pauses that the source of them records, on the ticker's thread.

    The firing belongs to the span that the collection interrupted on its own thread, if there was
    one: whatever allocated last, not whatever filled the heap.
    """

    name: Final = trigger_names.GC_PAUSE

    def __init__(self, limit_seconds: float, inbox: FiringInbox) -> None:
        self._limit_ns = int(limit_seconds * 1e9)
        self._inbox = inbox

    def event_recorded(self, event: RuntimeEvent) -> None:
        """Fire when it is a collection over the limit, of which it had a CPU all the time."""
        if event.source != source_names.GC or event.duration_ns < self._limit_ns:
            return
        if event.attributes.get(names.GC_CPU, self._limit_ns) < self._limit_ns:
            return
        generation = event.attributes.get(names.GC_GENERATION)
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason="gc pause",
                subject="",
                fingerprint=(self.name, str(generation)),
                time_ns=event.end_ns,
                trace_id=event.trace_id,
                span_id=event.span_id,
                attributes={
                    **event.attributes,
                    names.DURATION: event.duration_ns,
                    names.LIMIT: self._limit_ns,
                },
            )
        )


def _build(settings: GcPauseTriggerSettings, context: TriggerContext) -> Hooks | None:
    if settings.gc_pause_trigger_seconds is None:
        return None
    trigger = GcPauseTrigger(settings.gc_pause_trigger_seconds, context.inbox)
    return Hooks(event_recorded=trigger.event_recorded)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.GC_PAUSE,
    about=OTHER,
    settings=GcPauseTriggerSettings,
    build=_build,
    docs="how-to/triggers/gc-pause.md",
)
