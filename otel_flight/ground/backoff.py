"""How long to wait after failures in a row: longer each time, and never quite the same.

Many processes lose the same backend at the same moment; without the random part they would all
come back at the same moment too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

SHORTEST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 60.0


class Backoff:
    """Counts failures in a row.

    Args:
        uniform: returns a random number between two.
    """

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self.failures = 0

    def failed(self, least_seconds: float = 0.0) -> float:
        """Note a failure; return how many seconds to wait.

        Args:
            least_seconds: what the receiver asked for; without that, it is from 1 to 60.
        """
        limit = min(SHORTEST_SECONDS * 2 ** min(self.failures + 1, 10), LONGEST_SECONDS)
        self.failures += 1
        return max(least_seconds, self._uniform(limit / 2, limit))

    def succeeded(self) -> int:
        """Note a success; return how many failures in a row it ended."""
        failures, self.failures = self.failures, 0
        return failures
