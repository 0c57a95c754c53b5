"""The clock that tests own."""

from __future__ import annotations

from otel_flight.ground.clock import monotonic_ns, wall_ns
from otel_flight.testing import FakeClock

SECOND = 1_000_000_000


def test_it_starts_now_and_stands_still() -> None:
    """Times of before and after can be compared with it; it moves by itself never."""
    before = wall_ns(), monotonic_ns()

    clock = FakeClock()

    assert before[0] <= clock.wall_ns() <= wall_ns()
    assert before[1] <= clock.monotonic_ns() <= monotonic_ns()
    assert (clock.wall_ns(), clock.monotonic_ns()) == (clock.wall_ns(), clock.monotonic_ns())


def test_time_passes_on_both_clocks() -> None:
    """Parts of a second, too."""
    clock = FakeClock()
    before = clock.wall_ns(), clock.monotonic_ns()

    clock.advance(1.5)

    passed = clock.wall_ns() - before[0], clock.monotonic_ns() - before[1]
    assert passed == (1.5 * SECOND, 1.5 * SECOND)


def test_the_wall_clock_alone_can_be_set() -> None:
    """Forward and back, as an administrator may."""
    clock = FakeClock()
    before = clock.wall_ns(), clock.monotonic_ns()

    clock.set_wall(-60)

    assert (clock.wall_ns(), clock.monotonic_ns()) == (before[0] - 60 * SECOND, before[1])
