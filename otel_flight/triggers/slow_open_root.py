"""Fires while a slow local root is still open: a hung request never ends."""

from __future__ import annotations

from typing import Any, Final

from otel_flight.clock import SYSTEM_CLOCK, Clock
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.triggers.base import FiringInbox, name_of
from otel_flight.triggers.route_limits import RouteLimits, slow_firing


class SlowOpenRootTrigger:
    """Look over the open local roots, on the ticker's thread.

    A span knows only by the wall clock when it started, and when that is set forward an hour every
    open request would look an hour old. So the wall clock is believed once, when a root is first
    seen, and only as far as it can have started since the last look.
    """

    name: Final = "slow_open_root"

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
        self._looked_ns = clock.monotonic_ns()
        self._started_ns: dict[int, int] = {}
        self._fired: set[int] = set()

    def watch(self) -> None:
        """Fire, once each, for local roots that have been open longer than their limit."""
        now, wall = self._clock.monotonic_ns(), self._clock.wall_ns()
        looked, self._looked_ns = self._looked_ns, now
        roots = dict(self._open_spans.roots)
        known = self._started_ns
        self._started_ns = {
            span_id: known[span_id]
            if span_id in known
            else now - min(now - looked, _age_ns(span, wall))
            for span_id, (span, *_) in roots.items()
        }
        self._fired &= roots.keys()
        for span_id, (span, *_) in roots.items():
            if span_id in self._fired:
                continue
            age_ns = now - self._started_ns[span_id]
            limit_ns = self._limits.limit_ns(name_of(span))
            if age_ns > limit_ns:
                self._fired.add(span_id)
                self._inbox.offer(slow_firing(self.name, span, wall, age_ns, limit_ns))


def _age_ns(span: Any, wall_ns: int) -> int:
    """Return a span's age by the wall clock, 0 when it has none."""
    try:
        return max(0, int(wall_ns - span.start_time))
    except (TypeError, ValueError, OverflowError):
        return 0
