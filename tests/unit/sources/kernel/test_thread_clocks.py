"""Processor time by thread, and who runs without the interpreter."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable

import pytest

from otel_flight.interpreter.threads import alive_threads
from otel_flight.sources.kernel import thread_clocks
from otel_flight.sources.kernel.thread_clocks import CAN_READ_CLOCKS, ThreadClocks, Used

pytestmark = pytest.mark.skipif(not CAN_READ_CLOCKS, reason="threads have no clocks here")


class Thread:
    """A thread that does what it is told, then waits."""

    def __init__(self) -> None:
        self._work: Callable[[], object] = lambda: None
        self._begin, self._ended = threading.Semaphore(0), threading.Semaphore(0)
        self._is_over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            self._begin.acquire()
            if self._is_over:
                return
            self._work()
            self._ended.release()

    def do(self, work: Callable[[], object]) -> None:
        """Do some work and wait for it."""
        self.start(work)
        assert self._ended.acquire(timeout=20)

    def start(self, work: Callable[[], object]) -> None:
        """Begin some work."""
        self._work = work
        self._begin.release()

    def end(self) -> None:
        """End the thread."""
        self._is_over = True
        self._begin.release()
        self.thread.join(20)
        assert not self.thread.is_alive()


def burn(seconds: float) -> None:
    """Use so much processor time."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def used_by(clocks: ThreadClocks, thread: Thread) -> Used | None:
    """Return what a thread used; None when nothing is known of it."""
    found = [each for each in clocks.used() if each.thread_id == thread.thread.ident]
    return found[0] if found else None


def test_what_a_thread_used_since_it_was_noted() -> None:
    """Not what it used before, and nothing of a thread that only waited."""
    busy, idle = Thread(), Thread()
    clocks = ThreadClocks()
    busy.do(lambda: burn(0.05))
    clocks.note()
    busy.do(lambda: burn(0.02))

    of_busy, of_idle = used_by(clocks, busy), used_by(clocks, idle)

    assert of_busy is not None
    assert of_idle is not None
    assert 20_000_000 <= of_busy.cpu_ns < 45_000_000
    assert of_idle.cpu_ns < 5_000_000
    busy.end()
    idle.end()


def test_a_thread_that_has_begun_since_counts_from_its_beginning() -> None:
    """Nothing was noted of it, and all it used was since."""
    clocks = ThreadClocks()
    clocks.note()
    thread = Thread()
    thread.do(lambda: burn(0.02))

    used = used_by(clocks, thread)

    assert used is not None
    assert 20_000_000 <= used.cpu_ns < 45_000_000
    thread.end()


def test_the_calling_thread_is_left_out() -> None:
    """The ticker does not hold up itself."""
    clocks = ThreadClocks()
    clocks.note()

    assert threading.get_ident() not in {each.thread_id for each in clocks.used()}


def test_a_thread_that_has_ended_is_left_out() -> None:
    """It is no error to ask for its clock."""
    thread = Thread()
    clocks = ThreadClocks()
    clocks.note()
    thread.end()

    assert used_by(clocks, thread) is None


def test_a_thread_that_begins_between_two_looks_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is unknown to the first."""
    thread, alive = Thread(), alive_threads()
    seen = iter([[each for each in alive if each is not thread.thread]])
    clocks = ThreadClocks()
    clocks.note()
    monkeypatch.setattr(thread_clocks, "alive_threads", lambda: next(seen, alive))

    assert used_by(clocks, thread) is None
    thread.end()


@pytest.mark.skipif(os.cpu_count() == 1, reason="two threads need two processors to run at once")
def test_who_runs_without_the_interpreter_is_marked() -> None:
    """A thread that computes in C meanwhile cannot have been holding the interpreter."""
    thread = Thread()
    clocks = ThreadClocks()
    clocks.note()
    data = bytes(20_000_000)
    is_enough = threading.Event()
    own, *_, others = sorted(allowed := os.sched_getaffinity(0))

    def digest() -> None:
        os.sched_setaffinity(0, {others})
        while not is_enough.is_set():
            hashlib.sha256(data)

    os.sched_setaffinity(0, {own})
    try:
        thread.start(digest)
        deadline = time.monotonic() + 20
        is_seen = False
        while not is_seen and time.monotonic() < deadline:
            used = used_by(clocks, thread)
            is_seen = used is not None and used.is_running
    finally:
        is_enough.set()
        os.sched_setaffinity(0, allowed)
        thread.end()

    assert is_seen


def test_of_many_threads_some_are_read_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each note costs the same however many threads there are; after some all are known."""
    monkeypatch.setattr(thread_clocks, "MOST_THREADS", 3)
    threads = [Thread() for _ in range(8)]
    clocks = ThreadClocks()

    clocks.note()
    first = len(clocks.used())
    for _ in range(4):
        clocks.note()
    known = {each.thread_id for each in clocks.used()}

    assert first == 3
    assert {each.thread.ident for each in threads} <= known
    for each in threads:
        each.end()
