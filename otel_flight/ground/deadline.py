"""The moment by which something is over: given to each wait on the way there, as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from typing_extensions import Self

from otel_flight.ground.clock import SYSTEM_CLOCK, Clock


class OutOfTime(Exception):  # noqa: N818  (not an error: there is no time for the rest)
    """A piece of work was given up, as its deadline has passed."""


@dataclass(frozen=True)
class Deadline:
    """A moment of the monotonic clock.

    Attributes:
        at_ns: the moment.
        clock: tells how far it is.
    """

    at_ns: int
    clock: Clock = SYSTEM_CLOCK

    @classmethod
    def after(cls, seconds: float, clock: Clock = SYSTEM_CLOCK) -> Self:
        """Return the moment so many seconds from now."""
        return cls(clock.monotonic_ns() + int(seconds * 1e9), clock)

    @property
    def seconds_left(self) -> float:
        """How many seconds there are until then; 0: it has passed."""
        return max(0.0, (self.at_ns - self.clock.monotonic_ns()) / 1e9)

    @property
    def has_passed(self) -> bool:
        """Whether the moment is over."""
        return self.clock.monotonic_ns() >= self.at_ns

    def part(self, share: float) -> Deadline:
        """Return an earlier one, after this share of the time that is left now."""
        return Deadline.after(self.seconds_left * share, self.clock)


NOW: Final = Deadline(0)
"""This deadline has passed: nothing is waited for."""
