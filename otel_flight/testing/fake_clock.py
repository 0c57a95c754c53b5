"""A clock that tests own."""

from __future__ import annotations

from otel_flight.ground.clock import monotonic_ns, wall_ns


class FakeClock:
    """A clock that starts at the real time and moves only when told to.

    For `FlightRecorder(clock=…)` and `flight_recording(clock=…)`: how long an incident stays open,
    cooldown, the budget of an hour, how long a local root takes and what sources measure go by it.
    A span's own times do not: the SDK asks the real clock.
    """

    def __init__(self) -> None:
        self._wall_ns = wall_ns()
        self._monotonic_ns = monotonic_ns()

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        return self._wall_ns

    def monotonic_ns(self) -> int:
        """Return nanoseconds since some moment."""
        return self._monotonic_ns

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._wall_ns += int(seconds * 1e9)
        self._monotonic_ns += int(seconds * 1e9)

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or with a negative number back."""
        self._wall_ns += int(seconds * 1e9)
