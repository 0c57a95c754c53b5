"""Fires when a local root that ended took longer than its limit.

Local root: no parent, or a remote one. A service behind a gateway has no other kind, so a rule that
looks for spans without a parent would never fire there. How long it took is told by our own clock:
a span's times are the application's, and may be anything.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.names import trigger_names
from otel_flight.recording.open_spans import OpenRoot
from otel_flight.triggers.base import (
    SLOWNESS,
    Hooks,
    TriggerContext,
    TriggerDescription,
    ids_of,
    name_of,
)
from otel_flight.triggers.roots.root_kinds import is_ended_by_stream, kind_of
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
        context: where firings go, and what is known of open roots.
    """

    name: Final = trigger_names.SLOW_ROOT

    def __init__(self, limits: RouteLimits, context: TriggerContext) -> None:
        self._limits = limits
        self._note = context.latency.note if limits.learns else None
        self._inbox = context.inbox
        self._known = context.slow_roots
        self._now_ns = context.clock.monotonic_ns

    def root_ended(self, span: ReadableSpan, root: OpenRoot | None) -> None:
        """Fire when the local root took longer than its limit."""
        if root is None:
            return
        answered_ns = duration_ns = self._now_ns() - root[3]
        if self._known.answered_ns:
            answered_ns = self._known.answered_ns.pop(ids_of(span)[1], duration_ns)
        if self._note is not None:
            self._note((name_of(span), answered_ns))
        if duration_ns > self._limits.least_ns:
            self._look(span, duration_ns, answered_ns)

    def _look(self, span: ReadableSpan, duration_ns: int, answered_ns: int) -> None:
        if self._known.told.pop(ids_of(span)[1], 0) is None:  # it fired while it was open
            return
        name = name_of(span)
        is_set = self._limits.set_ns(name) is not None
        limit_ns = self._limits.limit_ns(name, kind_of(span))
        if not is_set:
            duration_ns = answered_ns
        if duration_ns > limit_ns and (
            is_set or not self._known.is_stream(name, is_ended_by_stream)
        ):
            end_ns = span.end_time or 0
            self._inbox.offer(slow_firing(self.name, span, end_ns, duration_ns, self._limits))


def _build(settings: SlowRootSettings, context: TriggerContext) -> Hooks | None:
    if not is_any_set(settings):
        return None
    limits = RouteLimits(settings, context.latency)
    return Hooks(root_ended=SlowRootTrigger(limits, context).root_ended)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.SLOW_ROOT,
    about=SLOWNESS,
    settings=SlowRootSettings,
    build=_build,
    docs="how-to/triggers/slow-root.md",
)
