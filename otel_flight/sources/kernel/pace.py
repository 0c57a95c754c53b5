"""How often a source looks at what only changes when the process does something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otel_flight.ground.clock import process_time_ns
from otel_flight.recording.open_spans import OpenSpans

QUIET_FACTOR: Final = 5
"""In a process that does nothing, so many times as much passes between two looks."""
_WORKING_SHARE: Final = 0.02
"""A process that uses less than this share of a CPU, and serves no request, does nothing."""


class Pace:
    """Tells when a source is due: each period, less often while nothing goes on.

    Args:
        period_ns: how much passes between two looks, in nanoseconds.
        open_spans: those of the process; with a local root it is doing something.
        used_ns: reads the CPU time that the process has used.
    """

    def __init__(
        self,
        period_ns: int,
        open_spans: OpenSpans,
        used_ns: Callable[[], int] = process_time_ns,
    ) -> None:
        self._period_ns = period_ns
        self._open_spans = open_spans
        self._used_ns = used_ns
        self._looked_ns: int | None = None
        self._used_until_ns = 0

    def is_due(self, now_ns: int) -> bool:
        """Return whether to look now, by the monotonic clock; that counts as a look."""
        if self._looked_ns is not None and not self._is_over(now_ns - self._looked_ns):
            return False
        self._looked_ns, self._used_until_ns = now_ns, self._used_ns()
        return True

    def _is_over(self, elapsed_ns: int) -> bool:
        if elapsed_ns < self._period_ns or elapsed_ns >= self._period_ns * QUIET_FACTOR:
            return elapsed_ns >= self._period_ns
        if self._open_spans.roots:
            return True
        return self._used_ns() - self._used_until_ns > elapsed_ns * _WORKING_SHARE
