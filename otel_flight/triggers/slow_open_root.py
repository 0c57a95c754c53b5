"""Fires while a slow local root is still open: a hung request never ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.clock import SYSTEM_CLOCK, Clock
from otel_flight.names import trigger_names
from otel_flight.recording.open_ages import OpenAges
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.settings import kinds
from otel_flight.settings.declaration import setting_field
from otel_flight.triggers.base import (
    SLOWNESS,
    Hooks,
    TriggerContext,
    TriggerDescription,
    name_of,
)
from otel_flight.triggers.gate.firing import FiringInbox
from otel_flight.triggers.roots.route_limits import (
    RouteLimits,
    SlowRootSettings,
    is_any_set,
    slow_firing,
)


@dataclass(frozen=True, kw_only=True)
class SlowOpenRootSettings(SlowRootSettings):
    """Whether the limits count for local roots that are still open."""

    slow_open_root: bool = setting_field("SLOW_OPEN_ROOT", True, kinds.flag())
    """Whether a local root over its limit makes its incident while it is still open: one that hangs
    never ends."""


class SlowOpenRootTrigger:
    """Look over the open local roots, on the ticker's thread."""

    name: Final = trigger_names.SLOW_OPEN_ROOT

    def __init__(
        self,
        limits: RouteLimits,
        open_spans: OpenSpans,
        inbox: FiringInbox,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._limits = limits
        self._open_spans = open_spans
        self._inbox = inbox
        self._clock = clock
        self._ages = OpenAges(clock)
        self._fired: set[int] = set()

    def watch(self) -> None:
        """Fire, once each, for local roots that have been open longer than their limit."""
        roots = {span_id: root[0] for span_id, root in dict(self._open_spans.roots).items()}
        self._fired &= roots.keys()
        silent = self._open_spans.silent
        for span_id, age_ns in self._ages.update(roots.items()).items():
            if span_id in self._fired or span_id in silent:
                continue
            span = roots[span_id]
            own_ns = age_ns - self._open_spans.held_up.get(span_id, 0)
            if own_ns > self._limits.least_ns and own_ns > self._limits.limit_ns(name_of(span)):
                self._fired.add(span_id)
                wall_ns = self._clock.wall_ns()
                self._inbox.offer(slow_firing(self.name, span, wall_ns, own_ns, self._limits))


def _build(settings: SlowOpenRootSettings, context: TriggerContext) -> Hooks | None:
    if not (settings.slow_open_root and is_any_set(settings)):
        return None
    limits = RouteLimits(settings, context.latency)
    trigger = SlowOpenRootTrigger(limits, context.open_spans, context.inbox, context.clock)
    return Hooks(watch=trigger.watch)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.SLOW_OPEN_ROOT,
    about=SLOWNESS,
    settings=SlowOpenRootSettings,
    build=_build,
    docs="how-to/triggers/slow-open-root.md",
)
