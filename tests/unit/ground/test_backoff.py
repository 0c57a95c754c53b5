"""Waits after failures in a row."""

from __future__ import annotations

from otel_flight.ground.backoff import Backoff


def test_waits_grow_to_a_minute() -> None:
    """From one second to sixty, from a range that doubles, longer if a receiver asks for it."""
    ranges: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        ranges.append((low, high))
        return high

    backoff = Backoff(uniform)
    waits = [backoff.failed() for _ in range(8)]

    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    assert (ranges[0], ranges[-1]) == ((1, 2), (30, 60))
    assert (backoff.succeeded(), backoff.failed()) == (8, 2)
    assert (backoff.failed(1.0), backoff.failed(90.0)) == (4, 90)
