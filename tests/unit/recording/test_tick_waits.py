"""Watchers of the ticker are called when it waits and when it works."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.recording.tick_waits import TickWaits
from otel_flight.recording.ticker import QUIET_FACTOR, QUIET_TICKS, Ticker


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


def test_a_long_wait_ends_when_the_process_does_something() -> None:
    """Not with a tick: that comes as long after as in a process that is not quiet."""
    calls: list[str] = []
    activity = [0]
    rouses: queue.Queue[Callable[[], None]] = queue.Queue()
    waits_long, ticked = threading.Event(), threading.Event()

    class LongWaits(Watcher):
        def wait_begins(self, seconds: float) -> None:
            super().wait_begins(seconds)
            if seconds > 1:
                waits_long.set()

    def task() -> None:
        calls.append("task")
        if activity[0]:
            ticked.set()

    waits = TickWaits()
    waits.watchers = (LongWaits(calls),)
    ticker = Ticker(
        0.25, [("task", task)], Guard(), lambda: activity[0], waits=waits, watch=rouses.put
    )
    ticker._quiet_ticks, ticker._seen = QUIET_TICKS, 0
    ticker.start()
    assert waits_long.wait(20)
    activity[0] = 1
    rouses.get(timeout=20)()
    assert ticked.wait(20)
    assert ticker.stop(Deadline.after(10))

    long_wait = calls.index(f"waits {0.25 * QUIET_FACTOR}")
    assert calls[long_wait + 1 : long_wait + 5] == ["awake", "waits 0.25", "awake", "task"]


def test_what_begins_before_a_long_wait_makes_it_short() -> None:
    """It may begin after the ticker has looked, and before it could be told."""
    activity = [0]

    def watch(rouse: Callable[[], None]) -> None:
        activity[0] += 1

    ticker = Ticker(0.1, [], Guard(), lambda: activity[0], watch=watch)

    waits = [ticker.next_wait_seconds() for _ in range(QUIET_TICKS + 2)]

    assert activity[0] > 0
    assert waits == [0.1] * len(waits)


def test_a_job_does_not_wait_for_what_else_ended_a_long_wait() -> None:
    """A span that starts, and a flush right after it, wake the ticker at once."""
    rouses: queue.Queue[Callable[[], None]] = queue.Queue()
    done = threading.Event()
    ticker = Ticker(600, [], Guard(), lambda: 0, watch=rouses.put)
    ticker._quiet_ticks, ticker._seen = QUIET_TICKS, 0
    ticker.start()
    rouse = rouses.get(timeout=20)
    ticker.after_tick(done.set)
    ticker.wake()
    rouse()

    assert done.wait(20)
    assert ticker.stop(Deadline.after(10))
