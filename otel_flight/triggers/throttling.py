"""Fires when the container's CPU limit holds the process back for much of five seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from otel_flight.ground.intervals import Interval, overlap_ns
from otel_flight.names import process_attributes as names
from otel_flight.names import source_names, trigger_names
from otel_flight.recording.open_spans import OpenSpans
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

WINDOW_NS: Final = 5_000_000_000
_ARMED_BELOW: Final = 0.5
"""The trigger is armed again below this part of its share: a process that is held back all the time
is one incident."""
_MOST_EVENTS: Final = 64


@dataclass(frozen=True, kw_only=True)
class ThrottlingTriggerSettings(SettingsGroup):
    """How much throttling makes an incident."""

    throttling_trigger_share: float | None = setting_field(
        "THROTTLING_TRIGGER", 0.5, kinds.or_off(kinds.share(0.01, 1))
    )
    """The part of five seconds that the container's CPU limit must hold the process back to make an
    incident."""


class ThrottlingTrigger:
    """Watch the stretches that the source of them records, on the ticker's thread.

    Only while something is being served: that a container with a small limit is held back when it
    starts, or in a job that nobody waits for, is what the limit is there for.
    """

    name: Final = trigger_names.THROTTLING

    def __init__(self, share: float, open_spans: OpenSpans, inbox: FiringInbox) -> None:
        self._share = share
        self._open_spans = open_spans
        self._inbox = inbox
        self._stretches: deque[tuple[Interval, int]] = deque(maxlen=_MOST_EVENTS)
        self._is_armed = True

    def event_recorded(self, event: RuntimeEvent) -> None:
        """Fire when the last five seconds were mostly throttled; not again before they are not."""
        if event.source != source_names.THROTTLING:
            return
        held_back_ns = event.attributes.get(names.HELD_BACK, 0)
        self._stretches.append((Interval(event.start_ns, event.end_ns), held_back_ns))
        share = self._held_back_ns(event.end_ns - WINDOW_NS) / WINDOW_NS
        if share < self._share * _ARMED_BELOW:
            self._is_armed = True
        elif share >= self._share and self._is_armed and self._open_spans.roots:
            self._is_armed = False
            self._fire(event, share)

    def _held_back_ns(self, since_ns: int) -> float:
        """Return how long it was held back since a moment; of a stretch that began before, a part.

        A wall clock that was set leaves stretches of the future behind, which do not count.
        """
        window = Interval(since_ns, since_ns + WINDOW_NS)
        return sum(
            held_ns * overlap_ns(stretch, window) / max(1, stretch.duration_ns)
            for stretch, held_ns in self._stretches
        )

    def _fire(self, event: RuntimeEvent, share: float) -> None:
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason="cpu throttling",
                subject="",
                fingerprint=(self.name,),
                time_ns=event.end_ns,
                attributes={
                    "flight_recorder.throttled.share": round(share, 4),
                    names.CPU_LIMIT: event.attributes.get(names.CPU_LIMIT, 0),
                },
            )
        )


def _build(settings: ThrottlingTriggerSettings, context: TriggerContext) -> Hooks | None:
    if settings.throttling_trigger_share is None:
        return None
    trigger = ThrottlingTrigger(
        settings.throttling_trigger_share, context.open_spans, context.inbox
    )
    return Hooks(event_recorded=trigger.event_recorded)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.THROTTLING,
    about=OTHER,
    settings=ThrottlingTriggerSettings,
    build=_build,
    docs="how-to/triggers/throttling.md",
)
