"""Fires while a slow local root is still open: a hung request never ends."""

from __future__ import annotations

from typing import Final

from otel_flight.clock import SYSTEM_CLOCK, Clock
from otel_flight.names import trigger_names
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.triggers.base import FiringInbox, name_of
from otel_flight.triggers.roots.open_ages import OpenAges
from otel_flight.triggers.roots.route_limits import RouteLimits, slow_firing


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
        for span_id, age_ns in self._ages.look(roots).items():
            if span_id in self._fired:
                continue
            span = roots[span_id]
            limit_ns = self._limits.limit_ns(name_of(span))
            if age_ns > limit_ns:
                self._fired.add(span_id)
                wall_ns = self._clock.wall_ns()
                self._inbox.offer(slow_firing(self.name, span, wall_ns, age_ns, limit_ns))
