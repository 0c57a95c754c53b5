"""Fires when the container is about to run out of memory, while there still is a process to ask."""

from __future__ import annotations

from typing import Final

from otel_flight.names import process_attributes as names
from otel_flight.names import source_names, trigger_names
from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.base import Firing, FiringInbox

_ARMED_BELOW: Final = 0.9
"""Of the share that fires: memory that goes up and down around it is one incident, not many."""


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
