"""Fires when the container is about to run out of memory, while there still is a process to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.names import process_attributes as names
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

_ARMED_BELOW: Final = 0.9
"""The trigger is armed again below this part of its share: memory that goes up and down around it
is one incident, not many."""


@dataclass(frozen=True, kw_only=True)
class MemoryPressureTriggerSettings(SettingsGroup):
    """How much memory in use makes an incident."""

    memory_trigger_share: float | None = setting_field(
        "MEMORY_TRIGGER", 0.95, kinds.or_off(kinds.share(0.1, 1))
    )
    """The part of the container's memory limit that makes an incident when it is in use."""


class MemoryPressureTrigger:
    """Watch the vitals that the source of them records, on the ticker's thread.

    Of what the container uses, what the kernel can take back as file cache does not count.
    """

    name: Final = trigger_names.MEMORY_PRESSURE

    def __init__(self, share: float, inbox: FiringInbox) -> None:
        self._share = share
        self._inbox = inbox
        self._is_armed = True

    def event_recorded(self, event: RuntimeEvent) -> None:
        """Fire when the container holds more than its share; not again before it holds less."""
        if event.source != source_names.PROCESS:
            return
        held = event.attributes.get(names.CONTAINER_MEMORY_HELD)
        limit = event.attributes.get(names.CONTAINER_MEMORY_LIMIT)
        if not held or not limit:
            return
        in_use = held / limit
        if in_use < self._share * _ARMED_BELOW:
            self._is_armed = True
        elif in_use >= self._share and self._is_armed:
            self._is_armed = False
            self._fire(event, in_use)

    def _fire(self, event: RuntimeEvent, in_use: float) -> None:
        chosen = (names.CONTAINER_MEMORY_HELD, names.CONTAINER_MEMORY_LIMIT, names.MEMORY)
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason="memory pressure",
                subject="",
                fingerprint=(self.name,),
                time_ns=event.end_ns,
                attributes={
                    "flight_recorder.container.memory.share": round(in_use, 4),
                    **{key: event.attributes[key] for key in chosen if key in event.attributes},
                },
            )
        )


def _build(settings: MemoryPressureTriggerSettings, context: TriggerContext) -> Hooks | None:
    if settings.memory_trigger_share is None:
        return None
    trigger = MemoryPressureTrigger(settings.memory_trigger_share, context.inbox)
    return Hooks(event_recorded=trigger.event_recorded)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.MEMORY_PRESSURE,
    about=OTHER,
    settings=MemoryPressureTriggerSettings,
    build=_build,
    docs="how-to/triggers/memory-pressure.md",
)
