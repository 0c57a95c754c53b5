"""How far the lanes of a ring were at moments of the past: what tells where a window begins.

The times in the records do not: those of spans are the application's, and may be anything. A span
may have ended years ago, by what it says, and be recorded now.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from otel_flight.ring.layout import LANES
from otel_flight.ring.reader import RingImage

_MARKS: Final = 256
"""A window begins at one of about so many marks: at most this part of it too early."""


class _Mark(NamedTuple):
    monotonic_ns: int
    end_records: tuple[int, ...]
    """Of each lane, the number of the record that came next."""


class RecordMarks:
    """Marks that reach back over one window. `note` is for one thread, the rest for any.

    Args:
        window_seconds: how far back they have to reach.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window_ns = int(window_seconds * 1e9)
        # Replaced as a whole, so that any thread may read it.
        self._marks: tuple[_Mark, ...] = ()

    def note(self, image: RingImage, now_monotonic_ns: int) -> None:
        """Remember how far a ring is, unless that was done just now."""
        marks = self._marks
        if marks and now_monotonic_ns - marks[-1].monotonic_ns < self._window_ns // _MARKS:
            return
        mark = _Mark(now_monotonic_ns, tuple(map(image.end_record, LANES)))
        if marks and marks[-1].end_records == mark.end_records:
            return
        oldest = max(self._before(now_monotonic_ns - self._window_ns), 0)
        self._marks = (*marks[oldest:], mark)

    def first_records(self, since_monotonic_ns: int) -> dict[int, int]:
        """Return, by lane, a record before which all were written earlier than that moment."""
        newest = self._before(since_monotonic_ns)
        if newest < 0:
            return {}
        return dict(zip(LANES, self._marks[newest].end_records, strict=True))

    def _before(self, monotonic_ns: int) -> int:
        """Return which mark is the newest from before a moment; -1: none is."""
        marks = self._marks
        return sum(mark.monotonic_ns < monotonic_ns for mark in marks) - 1
