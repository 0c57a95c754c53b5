"""What the triggers for slow local roots, open and ended, know together of those that are open."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

_MOST: Final = 1024
"""Of at most this many local roots something is kept after they ended, until the next look, and at
most this many names of streams are known."""


class SlowRoots:
    """Facts by span id, and by name. No lock: every step is one operation of a dict or set.

    Attributes:
        told: local roots that fired while they were open.
        answered_ns: nanoseconds after which a request was first seen to have begun its answer.
    """

    __slots__ = ("_streams", "answered_ns", "told")

    def __init__(self) -> None:
        self.told: dict[int, None] = {}
        self.answered_ns: dict[int, int] = {}
        self._streams: set[str] = set()

    def is_stream(self, name: str, look: Callable[[], bool]) -> bool:
        """Return whether local roots of a name are streams, as the code of one of them has told.

        Not each look can tell: what runs just then may be none of that code.
        """
        if name not in self._streams:
            if not look():
                return False
            if len(self._streams) < _MOST:
                self._streams.add(name)
        return True

    def bound(self, open_ids: Collection[int]) -> None:
        """Forget local roots that are not open any more, once there are many. Ticker only."""
        for facts in (self.told, self.answered_ns):
            if len(facts) > _MOST + len(open_ids):
                for span_id in facts.keys() - set(open_ids):
                    facts.pop(span_id, None)
