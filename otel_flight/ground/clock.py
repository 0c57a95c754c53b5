"""The only place that reads time, so that tests can put a clock they own in its stead.

Spans carry wall-clock times and the wall clock can be set at any moment; anything that measures an
interval or waits uses the monotonic clock, and ``ClockPair`` converts between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from otel_flight.ground.native import time

__all__ = [
    "SYSTEM_CLOCK",
    "Clock",
    "ClockPair",
    "SystemClock",
    "clock_gettime_ns",
    "monotonic_ns",
    "process_time_ns",
    "thread_time_ns",
    "wall_ns",
]

# Aliases and not functions: the hot path pays for the C call only.
wall_ns: Final[Callable[[], int]] = time.time_ns
monotonic_ns: Final[Callable[[], int]] = time.monotonic_ns
# Processor time of the whole process, of the calling thread, and of a clock by its number.
process_time_ns: Final[Callable[[], int]] = time.process_time_ns
thread_time_ns: Final[Callable[[], int]] = time.thread_time_ns
clock_gettime_ns: Final[Callable[[int], int]] = time.clock_gettime_ns


class Clock(Protocol):
    """Something that tells both times; ``SYSTEM_CLOCK`` outside tests."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the Unix epoch; may jump either way."""
        ...

    def monotonic_ns(self) -> int:
        """Return nanoseconds since some fixed moment; never goes back."""
        ...


class SystemClock:
    """The clock of this machine. Safe from any thread, signal handler or gc callback."""

    __slots__ = ()
    wall_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


SYSTEM_CLOCK = SystemClock()


@dataclass(frozen=True)
class ClockPair:
    """One moment as both clocks saw it.

    Conversions go through this moment, so that they are not disturbed when the wall clock is set
    later: two monotonic readings a second apart become wall times a second apart, always.
    """

    wall_ns: int
    monotonic_ns: int

    @classmethod
    def now(cls, clock: Clock = SYSTEM_CLOCK) -> ClockPair:
        """Read both clocks, as close to the same moment as one thread can.

        A thread that is descheduled between the two reads would pair times that are milliseconds
        apart: the wall clock is read between two monotonic reads, and the tightest of three
        attempts is kept.
        """
        tightest_ns = None
        for _ in range(3):
            before = clock.monotonic_ns()
            wall = clock.wall_ns()
            between_ns = clock.monotonic_ns() - before
            if tightest_ns is None or between_ns < tightest_ns:
                tightest_ns = between_ns
                pair = cls(wall, before + between_ns // 2)
        return pair

    def to_wall_ns(self, monotonic_ns: int) -> int:
        """Return the wall time of a monotonic reading, by the wall clock as set at this moment."""
        return self.wall_ns + (monotonic_ns - self.monotonic_ns)

    def to_monotonic_ns(self, wall_ns: int) -> int:
        """Return the monotonic reading of a wall time, by the wall clock as set at this moment."""
        return self.monotonic_ns + (wall_ns - self.wall_ns)
