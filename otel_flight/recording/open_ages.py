"""How long spans have been open, by a clock that nobody sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otel_flight.ground.clock import Clock


class OpenAges:
    """The ages of open spans, from one update to the next.

    A span knows only by the wall clock when it started, and when that is set forward an hour every
    open request would look an hour old. So the wall clock is believed once, when a span is first
    seen, and only as far as it can have started since the last update.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._updated_ns = clock.monotonic_ns()
        self._started_ns: dict[int, int] = {}

    def update(self, spans: Iterable[tuple[int, Any]]) -> dict[int, int]:
        """Return the age in nanoseconds of each open span, by its id; forget all others.

        Args:
            spans: all that are open, each with its id.
        """
        now, wall = self._clock.monotonic_ns(), self._clock.wall_ns()
        updated, self._updated_ns = self._updated_ns, now
        known = self._started_ns
        self._started_ns = {
            span_id: known[span_id]
            if span_id in known
            else now - min(now - updated, _age_ns(span, wall))
            for span_id, span in spans
        }
        return {span_id: now - started for span_id, started in self._started_ns.items()}


def _age_ns(span: Any, wall_ns: int) -> int:
    """Return a span's age by the wall clock, 0 when it has none."""
    try:
        return max(0, int(wall_ns - span.start_time))
    except (TypeError, ValueError, OverflowError):
        return 0
