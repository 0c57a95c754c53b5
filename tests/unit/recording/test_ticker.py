"""The thread that wakes regularly."""

from __future__ import annotations

import queue
import threading

import pytest

from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import running
from otel_flight.recording.ticker import QUIET_FACTOR, QUIET_TICKS, Ticker


def test_tasks_run_in_order_at_once_and_again() -> None:
    """The first tick does not wait; a task runs at each one until the stop, which may cut it."""
    ran: list[str] = []
    thrice = threading.Event()

    def second() -> None:
        ran.append("second")
        if ran.count("second") == 3:
            thrice.set()

    ticker = Ticker(0.001, [("a", lambda: ran.append("first")), ("b", second)], Guard())
    ticker.start()
    assert thrice.wait(10)
    assert ticker.stop(Deadline.after(10))

    assert ran[:4] == ["first", "second", "first", "second"]
    assert ticker.ticks * 2 - len(ran) in {0, 1}


def test_a_job_runs_once_after_a_whole_tick() -> None:
    """One that comes during a tick waits for the next: all tasks have to see what was before."""
    ran: list[str] = []
    ticker: Ticker

    def task() -> None:
        ran.append("task")
        if len(ran) == 1:
            ticker.after_tick(lambda: ran.append("job"))

    ticker = Ticker(1, [("task", task)], Guard())
    for _ in range(3):
        ticker.tick()

    assert ran == ["task", "task", "job", "task"]


def test_a_job_that_fails_is_noted_and_gone() -> None:
    """The next one runs, and so do the tasks."""
    guard = Guard()
    ran: list[int] = []
    ticker = Ticker(1, [], guard)
    ticker.after_tick(lambda: ran.remove(7))
    ticker.after_tick(lambda: ran.append(1))

    for _ in range(3):
        ticker.tick()

    assert ran == [1]
    assert [error.count for error in guard.errors()] == [1]


def test_a_failing_task_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """It is reported once, however often it fails, and the tasks after it run."""
    guard = Guard()
    ran: list[int] = []
    ticker = Ticker(1, [("bad", lambda: ran[1000]), ("good", lambda: ran.append(1))], guard)  # type: ignore[list-item]

    for _ in range(3):
        ticker.tick()

    assert ran == [1, 1, 1]
    assert guard.errors()[0].count == 3
    assert len(caplog.records) == 1


def test_stopping_does_not_wait_for_the_next_tick() -> None:
    """A ticker that ticks once an hour ends at once; a second stop is as good as the first."""
    ticked = threading.Event()
    ticker = Ticker(3600, [("once", ticked.set)], Guard())
    ticker.start()
    assert ticked.wait(10)

    assert ticker.stop(Deadline.after(10))
    assert ticker.stop(Deadline.after(10))


def test_a_tick_that_goes_on_is_cut_short() -> None:
    """On a busy machine, the tasks that are left would take what time there is for the end."""
    is_in_tick, may_go_on = threading.Event(), threading.Event()
    ran: list[str] = []

    def long() -> None:
        is_in_tick.set()
        may_go_on.wait(10)
        ran.append("long")

    ticker = Ticker(0.001, [("long", long), ("next", lambda: ran.append("next"))], Guard())
    ticker.start()
    assert is_in_tick.wait(10)
    assert not ticker.stop(Deadline.after(0))
    may_go_on.set()

    assert ticker.stop(Deadline.after(10))
    assert ran == ["long"]


def test_a_paused_ticker_has_no_thread_and_goes_on() -> None:
    """A fork finds no thread of ours; after it, ticks come as before, and the last one ends."""
    ticks: queue.SimpleQueue[int] = queue.SimpleQueue()
    ticker = Ticker(0.001, [("tick", lambda: ticks.put(1))], Guard())
    ticker.start()
    ticks.get(timeout=10)

    ticker.pause(10)
    paused = running()
    ticker.resume()

    assert paused == []
    while not ticks.empty():
        ticks.get()
    ticks.get(timeout=10)
    assert ticker.stop(Deadline.after(10))
    assert running() == []


def test_a_pause_does_not_wait_for_a_tick_that_hangs() -> None:
    """Nor does the thread that follows begin before that tick has ended."""
    began, may_end = threading.Event(), threading.Event()
    together: list[int] = []

    def hang() -> None:
        together.append(len(running()))
        began.set()
        assert may_end.wait(10)

    ticker = Ticker(3600, [("hang", hang)], Guard())
    ticker.start()
    assert began.wait(10)

    ticker.pause(0)
    ticker.resume()
    may_end.set()

    assert ticker.stop(Deadline.after(10))
    assert together == [1]


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_ticker_that_was_stopped_does_not_resume(when: str) -> None:
    """Another thread may stop it while one forks."""
    ticker = Ticker(3600, [], Guard())
    ticker.start()

    if when == "before":
        ticker.stop(Deadline.after(10))
    ticker.pause(10)
    ticker.stop(Deadline.after(10))
    ticker.resume()

    assert running() == []


def test_a_ticker_that_never_started_can_be_stopped() -> None:
    """As when the recorder failed before."""
    assert Ticker(1, [], Guard()).stop(Deadline.after(0))


def test_it_may_be_stopped_by_its_own_task() -> None:
    """A task that stops the recorder does not wait for itself."""
    done = threading.Event()

    def end() -> None:
        ticker.stop(Deadline.after(10))
        done.set()

    ticker = Ticker(0.001, [("end", end)], Guard())
    ticker.start()

    assert done.wait(10)
    assert ticker.stop(Deadline.after(10))


def test_a_process_that_does_nothing_is_woken_less_often() -> None:
    """After some quiet ticks the wait grows, and shrinks again with the first activity."""
    activity = [0]
    ticker = Ticker(0.1, [], Guard(), lambda: activity[0])
    ticker.next_wait_seconds()

    waits = [ticker.next_wait_seconds() for _ in range(QUIET_TICKS + 1)]
    activity[0] += 1
    busy = ticker.next_wait_seconds()

    assert waits[0] == pytest.approx(0.1)
    assert waits[-1] == pytest.approx(0.1 * QUIET_FACTOR)
    assert busy == pytest.approx(0.1)


def test_it_runs_on_one_thread_of_ours() -> None:
    """Its name says whose it is, `threading` does not list it, a second start makes no second."""
    ticked = threading.Event()
    threads: list[tuple[list[str], int]] = []

    def note() -> None:
        threads.append(([each.name for each in running()], threading.active_count()))
        ticked.set()

    before = threading.active_count()
    ticker = Ticker(3600, [("note", note)], Guard())
    ticker.start()
    ticker.start()
    assert ticked.wait(10)
    assert ticker.stop(Deadline.after(10))

    assert threads == [(["otel-flight-ticker"], before)]


def test_a_task_that_hangs_is_not_waited_for_longer_than_asked() -> None:
    """The one who stops learns that the thread still runs."""
    entered, leave = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        leave.wait(10)

    ticker = Ticker(3600, [("hanging", hang)], Guard())
    ticker.start()
    assert entered.wait(10)

    assert not ticker.stop(Deadline.after(0.01))
    leave.set()
    assert ticker.stop(Deadline.after(10))
