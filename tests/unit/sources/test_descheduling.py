"""The source that watches how late the ticker is, with threads that really hold the interpreter."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_flight.ground.deadline import Deadline
from otel_flight.incidents.window import WindowEvent
from otel_flight.recording.ticker import Ticker
from otel_flight.sources.descheduling import Descheduling
from otel_flight.testing import FakeClock
from tests.support.rigs.source_rig import SourceRig

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs counts by thread")
MS = 1_000_000


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[SourceRig]:
    """A ring to write into."""
    with SourceRig(tmp_path / "ring", descheduled_seconds=0.05) as rig:
        yield rig


class Watched:
    """A real ticker that is watched, with tasks of the test's own."""

    def __init__(self, rig: SourceRig, tasks: Callable[[], None] = lambda: None) -> None:
        self.rig = rig
        self.source = Descheduling(rig.settings.descheduled_seconds or 0, rig.surroundings)
        self.source.start()
        self.ticked = threading.Semaphore(0)
        self.ticker = Ticker(
            0.02,
            [("test", tasks), ("descheduling", self.source.tick), ("count", self.ticked.release)],
            rig.guard,
            object,
            rig.surroundings.waits,
        )
        self.ticker.start()
        self.after_ticks(3)

    def after_ticks(self, number: int) -> None:
        """Wait until the ticker has ticked so often from now on."""
        while self.ticked.acquire(blocking=False):
            pass
        for _ in range(number):
            assert self.ticked.acquire(timeout=20)

    def stop(self) -> list[WindowEvent]:
        """Stop both and return the longest events first."""
        assert self.ticker.stop(Deadline.after(20))
        self.source.stop()
        return sorted(self.rig.events(), key=lambda event: -event.record.duration_ns)


def hold_computing() -> None:
    """Hold the interpreter in one call, for a second or so of processor time."""
    sum(range(40_000_000))
    time.sleep(0.2)


def hold_waiting() -> None:
    """Hold the interpreter in one call that waits, and does not let go of it."""
    ctypes.PyDLL(None).usleep(400_000)


@ON_LINUX
def test_a_thread_that_holds_the_interpreter_is_named(rig: SourceRig) -> None:
    """With the function that did, its thread and its stack; that another one waits is no matter."""
    watched = Watched(rig)
    held: list[WindowEvent] = []
    for _ in range(10):  # on a busy machine the whole process may have no CPU meanwhile
        thread = threading.Thread(target=hold_computing)
        thread.start()
        thread.join(30)
        watched.after_ticks(2)
        held = [each for each in rig.events() if each.record.thread_id == thread.ident]
        if held:
            break
    watched.stop()

    event = max(held, key=lambda each: each.record.duration_ns)
    assert event.record.source == "descheduling"
    assert event.record.name == "GIL held"
    assert event.record.duration_ns >= 100 * MS
    attributes = event.record.attributes
    assert attributes["code.function.name"] == "hold_computing"
    assert attributes["code.file.path"] == __file__
    assert attributes["flight_recorder.late_ns"] == event.record.duration_ns
    assert event.stack is not None
    assert event.stack.frames[-1].function == "hold_computing"


@ON_LINUX
def test_one_that_waits_and_does_not_let_go_of_it(rig: SourceRig) -> None:
    """No processor time tells who it was; here it can only be the one other thread."""
    watched = Watched(rig)
    began = time.time_ns()
    hold_waiting()
    ended = time.time_ns()
    watched.after_ticks(2)

    event = watched.stop()[0]

    assert event.record.name == "GIL held"
    assert event.record.thread_id == threading.get_ident()
    assert event.record.attributes["flight_recorder.process.cpu_ns"] < 40 * MS
    assert began <= event.record.start_ns < event.record.end_ns
    # On a busy machine the ticker is late by more, and gets its turn after this thread goes on.
    assert event.record.duration_ns >= 290 * MS
    assert event.record.start_ns < ended


@ON_LINUX
def test_it_is_seen_within_the_tickers_work(rig: SourceRig) -> None:
    """A task that lets others run, as every read of a file does, is held up like a wait."""
    go, hold = threading.Event(), threading.Event()

    def task() -> None:
        if go.is_set():
            go.clear()
            hold.set()
            time.sleep(0.001)

    def hold_when_told() -> None:
        hold.wait(20)
        hold.clear()
        sum(range(20_000_000))

    watched = Watched(rig, task)
    holders: list[int | None] = []
    held: list[WindowEvent] = []
    for _ in range(20):  # on a busy machine the task is over before the other thread has begun
        thread = threading.Thread(target=hold_when_told)
        thread.start()
        holders.append(thread.ident)
        go.set()
        thread.join(30)
        watched.after_ticks(2)
        held = [event for event in rig.events() if event.record.name == "GIL held"]
        if held:
            break
    watched.stop()

    assert held
    assert held[0].record.thread_id in holders


@ON_LINUX
def test_threads_that_take_turns_hold_nothing(rig: SourceRig) -> None:
    """Each lets go when asked; if the ticker is late all the same, nobody is blamed for it."""
    is_over = threading.Event()

    def spin() -> None:
        until = time.monotonic() + 0.8
        while time.monotonic() < until and not is_over.is_set():
            pass

    threads = [threading.Thread(target=spin) for _ in range(12)]
    watched = Watched(rig)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    events = watched.stop()

    assert {event.record.name for event in events} <= {"GIL contended", "process descheduled"}
    assert {event.record.thread_id for event in events} <= {0}


STOPPED_AT_WORK = """
import json, os, signal, subprocess, sys, threading, time
from pathlib import Path

from otel_flight.ground.deadline import Deadline
from otel_flight.recording.ticker import Ticker
from otel_flight.sources.descheduling import Descheduling
from tests.support.rigs.source_rig import SourceRig

what, ticks_before = sys.argv[1], int(sys.argv[2])
other = threading.Thread(target=threading.Event().wait, daemon=True)
other.start()
done = threading.Event()
goes_on = f"read what && sleep 0.4 && kill -CONT {os.getpid()}"
helper = subprocess.Popen(["/bin/sh", "-c", goes_on], stdin=subprocess.PIPE)

def task():
    if ticker.ticks != ticks_before:
        return
    if what == "stopped":
        os.write(helper.stdin.fileno(), b"stopped\\n")
        os.kill(os.getpid(), signal.SIGSTOP)
        until = time.monotonic() + 0.2
        while time.monotonic() < until:  # the kernel lets another thread take the signal
            pass
    else:
        time.sleep(0.4)

def tell():
    if ticker.ticks > ticks_before:
        done.set()

with SourceRig(Path(sys.argv[3]), descheduled_seconds=0.05) as rig:
    source = Descheduling(0.05, rig.surroundings)
    source.start()
    tasks = [("a", source.tick), ("b", task), ("c", tell)]
    ticker = Ticker(0.02, tasks, rig.guard, object, rig.surroundings.waits)
    ticker.start()
    done.wait(20)
    ticker.stop(Deadline.after(20))
    helper.communicate()
    print(json.dumps([[e.name, e.record.duration_ns, e.record.attributes] for e in rig.events()]))
"""


@ON_LINUX
@pytest.mark.parametrize("ticks_before", [0, 3])
def test_a_stop_within_the_tickers_work(tmp_path: Path, ticks_before: int) -> None:
    """Also in the first tick; a disk that lets the ticker alone wait is another matter."""
    found = {}
    for what in ("stopped", "waits"):
        arguments = [what, str(ticks_before), str(tmp_path / what)]
        command = [sys.executable, "-c", STOPPED_AT_WORK, *arguments]
        # In a session of its own: a shell would take it for suspended.
        ended = subprocess.run(
            command, capture_output=True, check=True, timeout=60, start_new_session=True
        )
        found[what] = json.loads(ended.stdout)

    ((name, duration_ns, attributes),) = found["stopped"]
    assert name == "process descheduled"
    assert duration_ns >= 300 * MS
    assert attributes["flight_recorder.run_queue_ns"] < duration_ns / 2
    assert found["waits"] == []


@ON_LINUX
def test_turns_in_the_first_tick_are_no_hold(rig: SourceRig) -> None:
    """It reads many files, and gets the GIL back after 5 ms each time."""
    is_over = threading.Event()
    ticks = [0]

    def spin() -> None:
        while not is_over.is_set():
            sum(range(100))

    def task() -> None:
        ticks[0] += 1
        for _ in range(60 if ticks[0] == 1 else 0):
            time.sleep(0)

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        watched = Watched(rig, task)
    finally:
        is_over.set()
        thread.join(20)

    assert "GIL held" not in {event.record.name for event in watched.stop()}


@ON_LINUX
def test_a_hold_in_the_first_tick_is_named(rig: SourceRig) -> None:
    """So is who holds up a request right after the start of the process."""
    threads: list[threading.Thread] = []

    def task() -> None:
        if not threads:
            threads.append(threading.Thread(target=hold_computing))
            threads[0].start()
            time.sleep(0.001)

    def named() -> set[object]:
        return {each.record.attributes.get("code.function.name") for each in rig.events()}

    for _ in range(10):  # on a busy machine the thread may have hardly any CPU meanwhile
        Watched(rig, task).stop()
        threads.pop().join(30)
        if "hold_computing" in named():
            break

    assert "hold_computing" in named()


def test_a_wait_in_time_is_nothing(tmp_path: Path) -> None:
    """Also just below the limit."""
    clock = FakeClock()
    with SourceRig(tmp_path / "ring", clock, descheduled_seconds=0.05) as rig:
        source = Descheduling(rig.settings.descheduled_seconds or 0, rig.surroundings)
        for late_seconds in (0, 0.01, 0.049):
            source.wait_begins(0.1)
            clock.advance(0.1 + late_seconds)
            source.wait_is_over()

        assert rig.events() == []


def test_a_process_that_stood_still(tmp_path: Path) -> None:
    """From when the ticker should have woken until it did, and no thread is blamed."""
    clock = FakeClock()
    with SourceRig(tmp_path / "ring", clock, descheduled_seconds=0.05) as rig:
        source = Descheduling(rig.settings.descheduled_seconds or 0, rig.surroundings)
        source.wait_begins(0.1)
        clock.advance(3.1)
        source.wait_is_over()

        (event,) = [each.record for each in rig.events()]

    assert event.name == "process descheduled"
    assert (event.end_ns, event.duration_ns) == (clock.wall_ns(), 3000 * MS)
    assert event.thread_id == 0
    assert source.counts() == {"process descheduled": 1, "GIL held": 0, "GIL contended": 0}


def test_a_wall_clock_that_is_set_is_nothing(tmp_path: Path) -> None:
    """Forward or back, the process did not stand still."""
    clock = FakeClock()
    with SourceRig(tmp_path / "ring", clock, descheduled_seconds=0.05) as rig:
        source = Descheduling(rig.settings.descheduled_seconds or 0, rig.surroundings)
        for seconds in (3600, -3600):
            source.wait_begins(0.1)
            clock.advance(0.1)
            clock.set_wall(seconds)
            source.wait_is_over()
        source.wait_begins(0.1)  # as long as it takes the wall clock to come back
        clock.set_wall(-3600)
        clock.advance(3600.1)
        source.wait_is_over()

        assert rig.events() == []


def test_stop_takes_the_watcher_out(rig: SourceRig) -> None:
    """Others go on watching; a second stop is as good as the first."""
    first, second = (
        Descheduling(rig.settings.descheduled_seconds or 0, rig.surroundings),
        Descheduling(rig.settings.descheduled_seconds or 0, rig.surroundings),
    )
    first.start()
    second.start()

    first.stop()
    first.stop()

    assert list(rig.surroundings.waits.watchers) == [second]
    second.stop()
    assert list(rig.surroundings.waits.watchers) == []


def test_without_the_kernels_files(tmp_path: Path) -> None:
    """The run queue is left out, the rest is as it was."""
    clock = FakeClock()
    with SourceRig(tmp_path / "ring", clock, descheduled_seconds=0.05) as rig:
        source = Descheduling(
            rig.settings.descheduled_seconds or 0, rig.surroundings, str(tmp_path / "nowhere")
        )
        source.wait_begins(0.1)
        clock.advance(1)
        source.wait_is_over()

        (event,) = [each.record for each in rig.events()]

    assert event.name == "process descheduled"
    assert "flight_recorder.run_queue_ns" not in event.attributes
