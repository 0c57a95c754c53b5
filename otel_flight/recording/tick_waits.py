"""Show how late the ticker wakes: it only waits, and so lacked the GIL or a CPU when it is late.

Its tasks cannot measure that, because they run one after another: a long one delays the next.
"""

from __future__ import annotations

from typing import Protocol

from otel_flight.ground.guard import Guard


class WaitWatcher(Protocol):
    """What is called on the ticker's thread at both ends of each wait, and after each task."""

    def wait_begins(self, seconds: float) -> None:
        """The ticker is about to wait for so many seconds."""
        ...

    def wait_is_over(self) -> None:
        """The ticker is awake and holds the GIL, and has done nothing yet."""
        ...

    def task_is_over(self) -> None:
        """The ticker has done one of its tasks."""
        ...


class TickWaits:
    """The watchers of the ticker's waits.

    Attributes:
        watchers: replaced as a whole.
    """

    def __init__(self) -> None:
        self.watchers: tuple[WaitWatcher, ...] = ()

    def begin(self, seconds: float, guard: Guard) -> None:
        """Tell the watchers that a wait begins. Ticker only."""
        for watcher in self.watchers:
            with guard.swallow("watch the ticker"):
                watcher.wait_begins(seconds)

    def end(self, guard: Guard) -> None:
        """Tell the watchers that it is over. Ticker only."""
        for watcher in self.watchers:
            with guard.swallow("watch the ticker"):
                watcher.wait_is_over()

    def task_done(self, guard: Guard) -> None:
        """Tell the watchers that a task is over. Ticker only."""
        for watcher in self.watchers:
            with guard.swallow("watch the ticker"):
                watcher.task_is_over()
