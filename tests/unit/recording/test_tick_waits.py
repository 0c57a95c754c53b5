"""Watchers of the ticker are called when it waits and when it works."""

from __future__ import annotations

import threading

from otel_flight.deadline import Deadline
from otel_flight.guard import Guard
from otel_flight.recording.tick_waits import TickWaits
from otel_flight.recording.ticker import Ticker


class Watcher:
    """Notes how it is called."""

    def __init__(self, ticker_tasks: list[str]) -> None:
        self.calls = ticker_tasks

    def wait_begins(self, seconds: float) -> None:
        """Note it."""
        self.calls.append(f"waits {seconds}")

    def wait_is_over(self) -> None:
        """Note it."""
        self.calls.append("awake")

    def task_is_over(self) -> None:
        """Note it."""
        self.calls.append("done")


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


def run_ticker(waits: TickWaits, calls: list[str], guard: Guard) -> None:
    """Run a ticker until it has ticked twice."""
    twice = threading.Event()

    def task() -> None:
        calls.append("task")
        if calls.count("task") == 2:
            twice.set()

    ticker = Ticker(0.001, [("task", task)], guard, waits=waits)
    ticker.start()
    assert twice.wait(10)
    assert ticker.stop(Deadline.after(10))


def test_a_watcher_is_called_for_each_wait_and_each_task() -> None:
    """In the order in which things happen, the first tick included, which follows an empty wait."""
    calls: list[str] = []
    waits = TickWaits()
    waits.watchers = (Watcher(calls),)

    run_ticker(waits, calls, Guard())

    assert calls[:2] == ["waits 0.0", "awake"]
    assert calls[2:9] == ["task", "done", "waits 0.001", "awake", "task", "done", "waits 0.001"]


def test_a_watcher_that_fails_stops_nobody() -> None:
    """It is noted, and those after it and the tasks go on."""
    calls: list[str] = []
    guard = Guard()
    waits = TickWaits()
    waits.watchers = (BrokenWatcher(), Watcher(calls))

    run_ticker(waits, calls, guard)

    assert calls[2:5] == ["task", "done", "waits 0.001"]
    assert {error.place for error in guard.errors()} == {"watch the ticker"}
