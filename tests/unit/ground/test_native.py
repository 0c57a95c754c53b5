"""Threads and locks of the operating system."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from otel_flight.ground import native
from otel_flight.ground.native import Condition, Thread


class Worker:
    """A thread of ours that waits until it may end."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.thread = Thread(self._run, "otel-flight-test")
        self.thread.start()
        assert self.begun.wait(10)

    def _run(self) -> None:
        self.begun.set()
        self.may_end.wait(10)


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Return one that runs, and end it."""
    worker = Worker()
    yield worker
    worker.may_end.set()
    assert worker.thread.join(10)


def run(target: object) -> None:
    """Run a function on a thread of ours, to its end."""
    thread = Thread(target, "otel-flight-test")  # type: ignore[arg-type]
    thread.start()
    assert thread.join(10)


def test_the_program_does_not_see_it() -> None:
    """Neither in the list of its threads nor in their number; we do."""
    before = threading.enumerate()
    worker = Worker()

    assert threading.enumerate() == before
    assert [each.name for each in native.running()] == ["otel-flight-test"]

    worker.may_end.set()
    assert worker.thread.join(10)
    assert native.running() == []


def test_who_logs_on_it_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    """`threading` makes a stand-in for a thread that it does not know, and would keep it."""
    before = threading.enumerate()

    run(lambda: logging.getLogger("other").error("something"))

    assert [record.message for record in caplog.records] == ["something"]
    assert threading.enumerate() == before


def test_waiting_for_its_end_has_an_end(worker: Worker) -> None:
    """Whoever waits learns that it still runs."""
    assert not worker.thread.join(0.01)


def test_it_knows_that_it_is_ours(worker: Worker) -> None:
    """The thread itself does, and no other."""
    found: list[bool] = []

    run(lambda: found.append(native.is_own_thread()))

    assert found == [True]
    assert not native.is_own_thread()
    assert not worker.thread.is_current()


def test_what_others_patch_is_not_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules that everybody imports may be changed at any time."""
    monkeypatch.setattr("_thread.start_new_thread", None)
    monkeypatch.setattr("time.sleep", None)
    monkeypatch.setattr("_thread.allocate_lock", None)  # Python 3.10 imports nothing after that
    ran: list[int] = []

    native.sleep(0)
    run(lambda: ran.append(native.get_ident()))

    assert len(ran) == 1
    assert ran[0] != native.get_ident() == threading.get_ident()


def test_no_signal_reaches_it() -> None:
    """But those that a thread gets for its own faults; the one who starts it still gets all."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    found: list[set[int]] = []

    run(lambda: found.append({*signal.pthread_sigmask(signal.SIG_BLOCK, [])}))

    assert {signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD} <= found[
        0
    ]
    assert signal.SIGSEGV not in found[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_signals_are_handled_in_the_main_thread() -> None:
    """Which is this one, whatever `threading` calls it."""
    found: list[bool] = []

    run(lambda: found.append(native.is_main_thread()))

    assert native.is_main_thread()
    assert native.main_ident() == native.get_ident()
    assert found == [False]


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_none(worker: Worker) -> None:
    """They do not exist there, and the one that is left is its main thread."""
    child = os.fork()
    if child == 0:
        is_clean = native.running() == [] and native.main_ident() == native.get_ident()
        os._exit(0 if is_clean else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_condition_wakes_all_who_wait() -> None:
    """When what they wait for is so."""
    condition = Condition()
    found: list[int] = []
    seen: list[object] = []

    def wait() -> None:
        with condition:
            seen.append(condition.wait_for(lambda: found, 10))

    threads = [Thread(wait, f"otel-flight-{number}") for number in range(3)]
    for thread in threads:
        thread.start()
    with condition:
        found.append(1)
        condition.notify_all()

    assert all(thread.join(10) for thread in threads)
    assert seen == [True] * 3


def test_a_condition_gives_up_in_time() -> None:
    """After the time that was given, or at once when there is none."""
    condition = Condition()
    begun = time.monotonic()

    with condition:
        assert not condition.wait_for(lambda: False, 0)
        assert not condition.wait_for(lambda: False, 0.05)
        assert condition.wait_for(lambda: True, 0)

    assert time.monotonic() - begun >= 0.05
