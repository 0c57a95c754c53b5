"""The firings that were refused since the last incident, which the next one tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from otel_flight.triggers.gate.firing import Firing

_MOST_CAUSES: Final = 32
"""At most this many causes are told apart; the firings of further ones are counted."""


@dataclass(frozen=True)
class Refusals:
    """What was refused in a time.

    Attributes:
        firings: how many firings.
        causes: by what they would have been called, how many of each; not of all if there are many.
    """

    firings: int
    causes: dict[str, int]


class RefusalLog(msgspec.Struct):
    """Counts what is refused. The gate's lock guards it."""

    firings: int = 0
    causes: dict[str, int] = {}

    def add(self, firing: Firing) -> None:
        """Count a firing."""
        self.firings += 1
        title = firing.title
        if title in self.causes or len(self.causes) < _MOST_CAUSES:
            self.causes[title] = self.causes.get(title, 0) + 1

    def take(self) -> Refusals | None:
        """Return what was refused since the last call; None: nothing was."""
        if not self.firings:
            return None
        by_count = sorted(self.causes.items(), key=lambda each: -each[1])  # stable
        taken = Refusals(self.firings, dict(by_count))
        self.firings, self.causes = 0, {}
        return taken
