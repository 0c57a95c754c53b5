"""What the threads do that compete with one that serves a request, for the GIL and the CPUs."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

_LEAST_SHARE: Final = 0.25
"""Threads compete when those in one place use a CPU for at least this part of the time."""
_MOST_THREADS: Final = 4
"""At most this many threads, the busiest ones, are looked at."""


def rival_among(used: Mapping[int, int], since_ns: int, place_on: Callable[[int], str]) -> str:
    """Return where those were who used the CPU most; empty: nobody used much, or it is not known.

    Several threads that do the same count together: a job may be spread over many.

    Args:
        used: CPU time in nanoseconds, by thread id; without the thread they compete with.
        since_ns: how long ago their clocks were looked at before.
        place_on: returns what a thread does, in a few words; empty: it is not known.
    """
    busiest = heapq.nlargest(_MOST_THREADS, ((cpu_ns, thread) for thread, cpu_ns in used.items()))
    least_ns = max(1, since_ns * _LEAST_SHARE)
    if sum(cpu_ns for cpu_ns, _ in busiest) < least_ns:
        return ""
    by_place: Counter[str] = Counter()
    for cpu_ns, thread in busiest:
        by_place[place_on(thread)] += cpu_ns
    del by_place[""]
    place, cpu_ns = next(iter(by_place.most_common(1)), ("", 0))
    return place if cpu_ns >= least_ns else ""
