"""Fires when any span has been open for too long, whatever it is. Off unless a limit is set.

A request that hangs is found by `slow_open_root`; this one finds the span that never ends beside
it: a consumer's poll, a background job, a child whose parent has ended long ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.names import attributes as names
from otel_flight.names import trigger_names
from otel_flight.recording.open_ages import OpenAges
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.records.normal_names import normal_name
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    OTHER,
    Hooks,
    TriggerContext,
    TriggerDescription,
    ids_of,
    name_of,
)
from otel_flight.triggers.gate.firing import Firing, FiringInbox

_LOOKS: Final = 20
"""An open span is looked at so often until it is stuck: there may be ten thousand of them."""
_LONGEST_NS: Final = 10_000_000_000
"""At most so many nanoseconds pass between two looks."""


@dataclass(frozen=True, kw_only=True)
class StuckSpanSettings(SettingsGroup):
    """How long any span may be open."""

    stuck_span_seconds: float | None = setting_field(
        "STUCK_SPAN", None, kinds.or_off(kinds.duration(0.1, 24 * 3600))
    )
    """How long any span must be open to make an incident, once."""


class StuckSpanTrigger:
    """Look over all open spans, on the ticker's thread.

    Args:
        limit_seconds: how long a span may be open.
        open_spans: the spans.
        inbox: where firings go.
        clock: a fake one in tests.
    """

    name: Final = trigger_names.STUCK_SPAN

    def __init__(
        self,
        limit_seconds: float,
        open_spans: OpenSpans,
        inbox: FiringInbox,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._limit_ns = int(limit_seconds * 1e9)
        self._open_spans = open_spans
        self._inbox = inbox
        self._clock = clock
        self._ages = OpenAges(clock)
        self._look_ns = 0
        self._fired: set[int] = set()

    def watch(self) -> None:
        """Fire, once each, for spans that have been open longer than the limit."""
        now = self._clock.monotonic_ns()
        if now < self._look_ns:
            return
        self._look_ns = now + min(self._limit_ns // _LOOKS, _LONGEST_NS)
        spans = dict(self._open_spans.spans)
        ages = self._ages.update(spans.items())
        self._fired &= spans.keys()
        for span_id, age_ns in ages.items():
            if age_ns > self._limit_ns and span_id not in self._fired:
                self._fired.add(span_id)
                self._fire(spans[span_id], age_ns)

    def _fire(self, span: Any, age_ns: int) -> None:
        trace_id, span_id = ids_of(span)
        name = name_of(span)
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason="stuck span",
                subject=name,
                fingerprint=(self.name, normal_name(name)),
                time_ns=self._clock.wall_ns(),
                trace_id=trace_id,
                span_id=span_id,
                attributes={
                    names.DURATION: age_ns,
                    names.LIMIT: self._limit_ns,
                },
            )
        )


def _build(settings: StuckSpanSettings, context: TriggerContext) -> Hooks | None:
    if settings.stuck_span_seconds is None:
        return None
    limit_seconds = settings.stuck_span_seconds
    trigger = StuckSpanTrigger(limit_seconds, context.open_spans, context.inbox, context.clock)
    return Hooks(watch=trigger.watch)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.STUCK_SPAN,
    about=OTHER,
    settings=StuckSpanSettings,
    build=_build,
    docs="how-to/triggers/stuck-span.md",
)
