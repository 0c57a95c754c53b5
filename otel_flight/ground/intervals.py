"""Stretches of time: how much of one others cover, and what two of them share."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol


class Timed(Protocol):
    """Anything that began and ended at two moments of one clock, in nanoseconds."""

    @property
    def start_ns(self) -> int:
        """When it began."""
        ...

    @property
    def end_ns(self) -> int:
        """When it ended."""
        ...


class Interval(NamedTuple):
    """The time from one moment to another, in nanoseconds of one clock."""

    start_ns: int
    end_ns: int

    @property
    def duration_ns(self) -> int:
        """How long it is; negative when the moments stand the wrong way round."""
        return self.end_ns - self.start_ns


def union(items: Iterable[Timed], within: Timed) -> Iterator[Interval]:
    """Yield the parts of a time that at least one of the items covers, by start, none twice."""
    reached_ns = within.start_ns
    for item in sorted(items, key=lambda each: each.start_ns):
        part = Interval(max(item.start_ns, reached_ns), min(item.end_ns, within.end_ns))
        if part.duration_ns > 0:
            yield part
            reached_ns = part.end_ns


def union_ns(items: Iterable[Timed], within: Timed) -> int:
    """Return how many nanoseconds of a time at least one of the items covers."""
    return sum(part.duration_ns for part in union(items, within))


def overlap_ns(one: Timed, other: Timed) -> int:
    """Return for how many nanoseconds both went on; 0 where they do not overlap."""
    return max(0, min(one.end_ns, other.end_ns) - max(one.start_ns, other.start_ns))


def distance_ns(item: Timed, moment_ns: int) -> int:
    """Return how far a moment is from the nearer end of an item; 0 for a moment within it."""
    if item.start_ns <= moment_ns <= item.end_ns:
        return 0
    return min(abs(item.start_ns - moment_ns), abs(item.end_ns - moment_ns))


def without(part: Timed, others: Sequence[Timed]) -> Iterator[Interval]:
    """Yield what is left of a stretch of time, by start.

    Args:
        part: the time.
        others: what is taken away, by start, none of them overlapping another.
    """
    reached_ns = part.start_ns
    first = max(0, bisect_right(others, part.start_ns, key=lambda each: each.start_ns) - 1)
    for other in map(others.__getitem__, range(first, len(others))):  # no copy, nothing skipped
        if other.start_ns >= part.end_ns:
            break
        if other.start_ns > reached_ns:
            yield Interval(reached_ns, other.start_ns)
        reached_ns = max(reached_ns, other.end_ns)
    if reached_ns < part.end_ns:
        yield Interval(reached_ns, part.end_ns)
