"""Fires when a local root that ended took longer than its limit.

Local root: no parent, or a remote one. A service behind a gateway has no other kind, so a rule that
looks for spans without a parent would never fire there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.names import trigger_names
from otel_flight.triggers.base import (
    SLOWNESS,
    Hooks,
    TriggerContext,
    TriggerDescription,
    ids_of,
    name_of,
)
from otel_flight.triggers.gate.firing import FiringInbox
from otel_flight.triggers.roots.route_limits import (
    RouteLimits,
    SlowRootSettings,
    is_any_set,
    slow_firing,
)


class SlowRootTrigger:
    """Watch local roots that ended, on the application's thread.

    Args:
        limits: how long a root may take.
        inbox: where firings go.
        held_up: by span ids, nanoseconds that the recorder itself took.
        note: takes name and duration of each root, for limits that are learned.
    """

    name: Final = trigger_names.SLOW_ROOT

    def __init__(
        self,
        limits: RouteLimits,
        inbox: FiringInbox,
        held_up: Mapping[int, int] = MappingProxyType({}),
        note: Callable[[tuple[str, int]], None] | None = None,
    ) -> None:
        self._limits = limits
        self._note = note
        self._inbox = inbox
        self._held_up = held_up

    def root_ended(self, span: ReadableSpan) -> None:
        """Fire when the local root took longer than its limit."""
        try:
            duration_ns: int = span.end_time - span.start_time  # type: ignore[operator]
        except TypeError:  # the SDK takes any object for a time, and none
            return
        if self._held_up:
            duration_ns -= self._held_up.get(ids_of(span)[1], 0)
        if self._note is not None:
            self._note((name_of(span), duration_ns))
        if duration_ns <= self._limits.least_ns:
            return
        if duration_ns > self._limits.limit_ns(name_of(span)):
            end_ns = span.end_time or 0
            self._inbox.offer(slow_firing(self.name, span, end_ns, duration_ns, self._limits))


def _build(settings: SlowRootSettings, context: TriggerContext) -> Hooks | None:
    if not is_any_set(settings):
        return None
    limits = RouteLimits(settings, context.latency)
    note = context.latency.note if limits.learns else None
    trigger = SlowRootTrigger(limits, context.inbox, context.open_spans.held_up, note)
    return Hooks(root_ended=trigger.root_ended)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.SLOW_ROOT,
    about=SLOWNESS,
    settings=SlowRootSettings,
    build=_build,
    docs="how-to/triggers/slow-root.md",
)
