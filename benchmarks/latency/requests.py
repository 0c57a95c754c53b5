"""Requests of a series, and which of them were slow, where that is only known in hindsight."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from benchmarks.measuring.paired_ratios import percentile
from otel_flight.triggers.latency.learned import FACTOR, FLOOR_NS

_LEAST_NORMAL: Final = 100
"""What is normal is known of a name with at least so many requests at normal times."""


class Request(NamedTuple):
    """A request of a series.

    Attributes:
        at: when it ended, in seconds.
        seconds: how long it took.
        is_slow: whether something was wrong with it.
        name: its root's name.
        fault: the number of the fault during which it ended; -1: of none.
    """

    at: float
    seconds: float
    is_slow: bool = False
    name: str = "GET /"
    fault: int = -1


class Window(NamedTuple):
    """The time of a fault, in seconds."""

    start: float
    end: float


def in_hindsight(requests: Iterable[Request], faults: Sequence[Window]) -> Iterator[Request]:
    """Yield requests by time, with what was slow: what learned limits promise, of one who knew.

    Slow is what ended during a fault and took three times what 99 % of its name take outside of
    all faults, and more than half a second.
    """
    by_time = sorted(requests)
    starts = [fault.start for fault in faults]

    def fault_of(at: float) -> int:
        number = bisect_right(starts, at) - 1
        return number if number >= 0 and at <= faults[number].end else -1

    normal: defaultdict[str, list[float]] = defaultdict(list)
    for each in by_time:
        if fault_of(each.at) < 0:
            normal[each.name].append(each.seconds)
    limits = {
        name: max(FLOOR_NS / 1e9, FACTOR * percentile(found, 99))
        for name, found in normal.items()
        if len(found) >= _LEAST_NORMAL
    }
    for each in by_time:
        fault = fault_of(each.at)
        is_slow = fault >= 0 and each.seconds > limits.get(each.name, math.inf)
        yield each._replace(is_slow=is_slow, fault=fault)
