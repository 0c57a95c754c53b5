"""The firings that were refused since the last incident, which the next one tells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

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


class RefusalLog:
    """Counts what is refused. The gate's lock guards it."""

    def __init__(self) -> None:
        self._firings = 0
        self._causes: Counter[str] = Counter()

    def add(self, firing: Firing) -> None:
        """Count a firing."""
        self._firings += 1
        title = firing.title
        if title in self._causes or len(self._causes) < _MOST_CAUSES:
            self._causes[title] += 1

    def take(self) -> Refusals | None:
        """Return what was refused since the last call; None: nothing was."""
        if not self._firings:
            return None
        taken = Refusals(self._firings, dict(self._causes.most_common()))
        self._firings = 0
        self._causes.clear()
        return taken
