"""Tell a lock that is held for long from one that nobody holds any more.

What does not work: a time limit (a garbage collection, a debugger in a signal handler or a paused
container can stop a holder for minutes, and it continues to write afterwards), noting the holder's
thread (costs every record, and says nothing of a thread that left and came back). Hence: look for
the holder on the stacks of all threads. Its limit: a holder on a greenlet that was switched away in
the middle is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import CodeType
from typing import Final

from otel_flight.interpreter.frames import can_look, current_stacks

_SEEN_HELD: Final = 3
"""The lock must be found held, and nothing written, this often in a row to count as orphaned."""
_ALL_FRAMES: Final = 1_000_000
"""A holder may stand below all that a finalizer does that runs in the middle of it."""


class OrphanWatch:
    """Watch one lock, each time it is found held.

    A holder stays in one and the same call all the time it holds the lock. So if nothing was
    written since the lock was first found held, and no call that was running then still runs, there
    is no holder.

    Args:
        codes: of all functions that ever hold the lock.
    """

    __slots__ = ("_calls", "_codes", "_found_held", "_progress")

    def __init__(self, codes: Iterable[CodeType]) -> None:
        self._codes = {id(code): code for code in codes}
        self.reset()

    def reset(self) -> None:
        """Note that the lock was found free."""
        self._found_held = 0
        self._progress: object = None
        self._calls: set[int] = set()

    def is_orphaned(self, progress: object) -> bool:
        """Return whether the lock, found held just now, has no holder. Not for the hot path.

        Never while stacks cannot be read.

        Args:
            progress: changes whenever a holder has done its work.
        """
        if not can_look():
            self.reset()
            return False
        if self._found_held == 0 or progress != self._progress:
            self._found_held = 1
            self._progress = progress
            self._calls = self._running_calls()
            return False
        self._found_held += 1
        self._calls &= self._running_calls()
        if self._calls or self._found_held < _SEEN_HELD:
            return False
        self.reset()
        return True

    def _running_calls(self) -> set[int]:
        """Return the keys of all calls of the functions that may hold the lock, but for our own."""
        stacks = current_stacks(_ALL_FRAMES).values()
        return {frame.key for stack in stacks for frame in stack if id(frame.code) in self._codes}
