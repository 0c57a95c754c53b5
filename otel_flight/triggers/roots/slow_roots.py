"""What the triggers for slow local roots, open and ended, know together of those that are open."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

_MOST: Final = 1024
"""Of at most this many local roots something is kept after they ended, until the next look."""


class SlowRoots:
    """Facts by span id. No lock: every step is one dict operation.

    Attributes:
        told: local roots that fired while they were open.
        answered_ns: nanoseconds after which a request was first seen to have begun its answer.
    """

    __slots__ = ("answered_ns", "told")

    def __init__(self) -> None:
        self.told: dict[int, None] = {}
        self.answered_ns: dict[int, int] = {}

    def bound(self, open_ids: Collection[int]) -> None:
        """Forget local roots that are not open any more, once there are many. Ticker only."""
        for facts in (self.told, self.answered_ns):
            if len(facts) > _MOST + len(open_ids):
                for span_id in facts.keys() - set(open_ids):
                    facts.pop(span_id, None)
