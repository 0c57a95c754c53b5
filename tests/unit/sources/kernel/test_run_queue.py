"""How long threads were ready to run without a processor, from one look to the next."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.sources.kernel.run_queue import RunQueues, Scheduled, read_scheduled, was_gil_wait
from tests.support.rigs.kernel_tree import KernelTree

MS = 1_000_000
SPAN_ID = 7


@pytest.fixture
def tree(tmp_path: Path) -> KernelTree:
    """Return a process file system."""
    return KernelTree(tmp_path)


@pytest.fixture
def other() -> Iterator[threading.Thread]:
    """Run another thread."""
    may_end = threading.Event()
    thread = threading.Thread(target=may_end.wait, args=(20,))
    thread.start()
    yield thread
    may_end.set()
    thread.join()


def write(tree: KernelTree, thread: threading.Thread, cpu_ms: int, queued_ms: int) -> None:
    """Write what the scheduler counted for a thread so far."""
    text = f"{cpu_ms * MS} {queued_ms * MS} 3\n"
    tree.write(f"proc/self/task/{thread.native_id}/schedstat", text)


def look(queues: RunQueues, thread: threading.Thread) -> int | None:
    """Return how long a thread had to wait since the last look."""
    assert thread.ident is not None
    return queues.since_last(SPAN_ID, thread.ident).get("flight_recorder.run_queue_ns")


def test_from_the_second_look_on(tree: KernelTree, other: threading.Thread) -> None:
    """What was before the first look belongs to others."""
    queues = RunQueues(str(tree.proc))
    write(tree, other, 10, 200)
    first = look(queues, other)
    write(tree, other, 30, 270)

    assert (first, look(queues, other)) == (None, 70 * MS)
    assert look(queues, other) == 0


def test_processor_time_of_the_other_threads(tree: KernelTree) -> None:
    """It is what the process used, without what the thread itself did."""
    this = threading.current_thread()
    assert this.ident is not None
    queues = RunQueues(str(tree.proc))
    write(tree, this, 0, 0)
    queues.since_last(SPAN_ID, this.ident)
    until_ns = time.process_time_ns() + 5 * MS
    while time.process_time_ns() < until_ns:
        pass
    by_others = queues.since_last(SPAN_ID, this.ident)
    write(tree, this, 3_600_000, 0)
    by_this = queues.since_last(SPAN_ID, this.ident)

    name = "flight_recorder.process.cpu_ns"
    assert by_others[name] >= 5 * MS
    assert by_this[name] == 0


def test_who_does_nothing_while_others_compute_waits_for_the_gil(
    tree: KernelTree, other: threading.Thread
) -> None:
    """If it ran at both looks, as who sleeps does nothing, too; a busy one hides it."""
    assert other.ident is not None
    queues = RunQueues(str(tree.proc))
    write(tree, other, 0, 0)
    seen: dict[bool, int] = {True: 0, False: 0}
    for number in range(400):
        ran = number % 2 == 1
        until_ns = time.thread_time_ns() + 2 * MS
        while time.thread_time_ns() < until_ns:
            pass
        found = queues.since_last(SPAN_ID, other.ident, ran=ran)
        seen[ran] += found.get("flight_recorder.gil_wait_ns", 0)
        if seen[True]:
            break

    assert seen[True] >= 2 * MS
    assert seen[False] == 0


@pytest.mark.parametrize(
    ("idle_ns", "others_ns", "slowed", "is_wait"),
    [(70, 60, 1.0, True), (70, 40, 1.0, False), (70, 20, 3.0, True), (0, 60, 1.0, False)],
)
def test_others_have_the_gil_for_longer_where_there_are_too_few_cpus(
    idle_ns: int, others_ns: int, slowed: float, is_wait: bool
) -> None:
    """By as much as the thread itself that waits for it."""
    assert was_gil_wait(idle_ns, others_ns, slowed) is is_wait


def test_a_request_that_went_to_another_thread(tree: KernelTree, other: threading.Thread) -> None:
    """The counters of two threads are not compared."""
    queues = RunQueues(str(tree.proc))
    write(tree, threading.current_thread(), 0, 0)
    write(tree, other, 0, 500)
    look(queues, threading.current_thread())

    assert look(queues, other) is None


def test_a_request_that_is_over_is_forgotten(tree: KernelTree, other: threading.Thread) -> None:
    """The next look at that root is a first one."""
    queues = RunQueues(str(tree.proc))
    write(tree, other, 0, 0)
    look(queues, other)
    queues.keep(())

    assert look(queues, other) is None


@pytest.mark.parametrize("text", ["", "12 \n", "none at all\n"], ids=["empty", "short", "words"])
def test_what_the_kernel_does_not_tell(
    tree: KernelTree, other: threading.Thread, text: str
) -> None:
    """Nothing is said, and nothing is raised, whatever is in the file."""
    queues = RunQueues(str(tree.proc))
    tree.write(f"proc/self/task/{other.native_id}/schedstat", text)

    assert look(queues, other) is None
    assert look(queues, other) is None


def test_a_thread_that_is_unknown(tree: KernelTree) -> None:
    """It has ended, or was not started by Python."""
    assert RunQueues(str(tree.proc)).since_last(SPAN_ID, 1) == {}


@pytest.mark.skipif(
    sys.platform != "linux" or not Path("/proc/thread-self/schedstat").exists(),
    reason="this kernel does not count it",
)
def test_the_real_file(other: threading.Thread) -> None:
    """Of this thread, and of another one by its number."""
    own = read_scheduled("/proc")

    assert isinstance(own, Scheduled)
    assert own.cpu_ns > 0
    assert read_scheduled("/proc", f"self/task/{other.native_id}") is not None
