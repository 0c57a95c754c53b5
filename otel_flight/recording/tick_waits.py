"""Lets others look at the ticker itself: how late a thread is that wants nothing but be in time.

Its tasks cannot tell, because they run after one another: a long task makes the next one late.
"""

from __future__ import annotations

from typing import Protocol

from otel_flight.guard import Guard


class WaitWatcher(Protocol):
    """Is called on the ticker's thread at both ends of each wait, and after each task."""

    def wait_begins(self, seconds: float) -> None:
        """The ticker is about to wait so long."""
        ...

    def wait_is_over(self) -> None:
        """The ticker is awake and has the interpreter, and has done nothing yet."""
        ...

    def task_is_over(self) -> None:
        """The ticker has done one of its tasks."""
        ...


class TickWaits:
    """Those who look.

    Attributes:
        watchers: replaced as a whole.
    """

    def __init__(self) -> None:
        self.watchers: tuple[WaitWatcher, ...] = ()

    def begin(self, seconds: float, guard: Guard) -> None:
        """Say that a wait begins. Ticker only."""
        for watcher in self.watchers:
            with guard.swallow("watch the ticker"):
                watcher.wait_begins(seconds)

    def end(self, guard: Guard) -> None:
        """Say that it is over. Ticker only."""
        for watcher in self.watchers:
            with guard.swallow("watch the ticker"):
                watcher.wait_is_over()

    def task_done(self, guard: Guard) -> None:
        """Say that a task is over. Ticker only."""
        for watcher in self.watchers:
            with guard.swallow("watch the ticker"):
                watcher.task_is_over()
