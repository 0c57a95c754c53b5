"""Those who look at the ticker are told when it waits and when it works."""

from __future__ import annotations

import threading

from otel_flight.guard import Guard
from otel_flight.recording.tick_waits import TickWaits
from otel_flight.recording.ticker import Ticker


class Watcher:
    """Notes what it is told."""

    def __init__(self, ticker_tasks: list[str]) -> None:
        self.told = ticker_tasks

    def wait_begins(self, seconds: float) -> None:
        """Note it."""
        self.told.append(f"waits {seconds}")

    def wait_is_over(self) -> None:
        """Note it."""
        self.told.append("awake")

    def task_is_over(self) -> None:
        """Note it."""
        self.told.append("done")


class BrokenWatcher:
    """Fails each time."""

    def wait_begins(self, seconds: float) -> None:
        """Fail."""
        raise ZeroDivisionError(seconds)

    def wait_is_over(self) -> None:
        """Fail."""
        raise ZeroDivisionError

    def task_is_over(self) -> None:
        """Fail."""
        raise ZeroDivisionError


def run_ticker(waits: TickWaits, told: list[str], guard: Guard) -> None:
    """Run a ticker until it has ticked twice."""
    twice = threading.Event()

    def task() -> None:
        told.append("task")
        if told.count("task") == 2:
            twice.set()

    ticker = Ticker(0.001, [("task", task)], guard, waits=waits)
    ticker.start()
    assert twice.wait(10)
    assert ticker.stop(10)


def test_a_watcher_is_told_of_each_wait_and_each_task() -> None:
    """In the order in which things happen, the first tick included, which follows no wait."""
    told: list[str] = []
    waits = TickWaits()
    waits.watchers = (Watcher(told),)

    run_ticker(waits, told, Guard())

    assert told[:7] == ["task", "done", "waits 0.001", "awake", "task", "done", "waits 0.001"]


def test_a_watcher_that_fails_stops_nobody() -> None:
    """It is noted, and those after it and the tasks go on."""
    told: list[str] = []
    guard = Guard()
    waits = TickWaits()
    waits.watchers = (BrokenWatcher(), Watcher(told))

    run_ticker(waits, told, guard)

    assert told[:3] == ["task", "done", "waits 0.001"]
    assert {error.place for error in guard.errors()} == {"watch the ticker"}
