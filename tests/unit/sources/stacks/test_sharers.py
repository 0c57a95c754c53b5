"""Who else has what a request waits for, in real threads and tasks."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest

from otel_flight.interpreter.frames import CAN_READ_LOCALS
from otel_flight.names import attributes as names
from otel_flight.sources.stacks.stack_reader import StackReader
from tests.support.rigs.served_requests import (
    DEADLINE_SECONDS,
    LoopThread,
    ServingRig,
    serving,
    tick_until,
    wait_until_at,
)

pytestmark = pytest.mark.skipif(
    not CAN_READ_LOCALS, reason="local variables are not read without C before Python 3.13"
)
shared: Queue[int] = Queue()
LOOKS = 50


@pytest.fixture
def rig(own_environment: Path) -> Iterator[ServingRig]:
    """Return a rig."""
    with ServingRig(own_environment) as rig:
        yield rig


def sharers(rig: ServingRig) -> list[str]:
    """Return where those are who have what the first open request waits for.

    One look may be too short for all threads, the first above all.
    """
    open_spans = rig.session.open_spans
    for _ in range(LOOKS):
        reader = StackReader(open_spans)
        seen = reader.read(next(iter(open_spans.roots.values())))
        assert seen is not None
        found = list(reader.attributes(seen).get(names.WAIT_SHARERS, []))
        if found:
            return found
    return []


@contextmanager
def meanwhile(end: threading.Lock, work: Callable[[], object]) -> Iterator[None]:
    """Have a thread at work, in `end.acquire()`, until the end of the block."""
    end.acquire()
    thread = threading.Thread(target=work)
    thread.start()
    wait_until_at(thread, work.__name__)
    yield
    end.release()
    thread.join(DEADLINE_SECONDS)


def of_queue(
    rig: ServingRig, queue: Queue[int], end: threading.Lock, work: Callable[[], object]
) -> str:
    """Return who has a queue that a request waits for while a thread is at work; one at most."""
    with serving(rig, lambda: queue.get(timeout=DEADLINE_SECONDS), "GET /job") as waiting:
        wait_until_at(waiting, "wait", "get")
        with meanwhile(end, work):
            found = sharers(rig)
        queue.put(0)
    assert len(found) < 2
    return "".join(found)


def test_a_thread_is_named_that_has_the_queue_in_a_variable(rig: ServingRig) -> None:
    """Of a function around its own."""
    queue: Queue[int] = Queue()
    end = threading.Lock()

    def produce() -> None:
        end.acquire()
        queue.put(1)

    assert "produce (" in of_queue(rig, queue, end, produce)


def test_a_thread_is_named_that_has_the_queue_in_an_object(rig: ServingRig) -> None:
    """In an attribute of `self` that the function uses."""
    end = threading.Lock()

    class Mailer:
        def __init__(self) -> None:
            self.jobs: Queue[int] = Queue()

        def produce(self) -> None:
            end.acquire()
            self.jobs.put(1)

    mailer = Mailer()

    assert "produce (" in of_queue(rig, mailer.jobs, end, mailer.produce)


def test_a_thread_is_named_that_has_the_queue_in_a_module(rig: ServingRig) -> None:
    """In a global variable that the function uses."""
    end = threading.Lock()

    def produce() -> None:
        end.acquire()
        shared.put(1)

    assert "produce (" in of_queue(rig, shared, end, produce)


def test_a_thread_with_another_queue_is_not_named(rig: ServingRig) -> None:
    """However alike the two are."""
    queue: Queue[int] = Queue()
    other: Queue[int] = Queue()
    end = threading.Lock()

    def produce() -> None:
        end.acquire()
        other.put(1)

    assert of_queue(rig, queue, end, produce) == ""


def test_who_waits_for_the_same_is_not_named(rig: ServingRig) -> None:
    """It needs somebody else as well."""
    ready = threading.Event()

    def wait_until_ready() -> None:
        ready.wait(DEADLINE_SECONDS)

    with (
        serving(rig, wait_until_ready, "GET /a") as first,
        serving(rig, wait_until_ready, "GET /b") as second,
    ):
        wait_until_at(first, "wait", "wait_until_ready")
        wait_until_at(second, "wait", "wait_until_ready")
        found = sharers(rig)
        ready.set()

    assert found == []


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="only tasks of requests are seen")
def test_a_task_is_named_that_is_no_request(rig: ServingRig) -> None:
    """The one that reads the queue, and not the one that only waits for tasks."""

    async def serve() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        pause = asyncio.Event()

        async def consume() -> None:
            await pause.wait()
            await queue.get()

        async def sign_up() -> None:
            with rig.tracer.start_as_current_span("POST /sign-up"):
                await queue.put(1)

        queue.put_nowait(0)
        tasks = [asyncio.create_task(consume()), asyncio.create_task(sign_up())]
        stop.append(pause.set)
        await asyncio.gather(*tasks)

    stop: list[Callable[[], None]] = []
    with LoopThread() as loop:
        serving_all = loop.submit(serve())
        found: list[list[str]] = []
        tick_until(
            lambda: found.append(sharers(rig) if rig.session.open_spans.roots else []),
            lambda: bool(found and found[-1]),
        )
        loop.loop.call_soon_threadsafe(stop[0])
        serving_all.result(DEADLINE_SECONDS)

    (place,) = found[-1]
    assert "consume (" in place


def test_where_the_loop_is_meanwhile_is_told_of_a_wait_for_a_turn(rig: ServingRig) -> None:
    """Another task has it, if only for a short time in each turn."""
    busy, end = threading.Event(), threading.Event()

    async def poll() -> None:
        with rig.tracer.start_as_current_span("GET /poll"):
            await asyncio.sleep(0)

    async def compute() -> None:
        busy.set()
        end.wait(DEADLINE_SECONDS)

    async def serve() -> None:
        await asyncio.gather(poll(), compute())

    with LoopThread() as loop:
        serving_all = loop.submit(serve())
        busy.wait(DEADLINE_SECONDS)
        (place,) = sharers(rig)
        end.set()
        serving_all.result(DEADLINE_SECONDS)

    assert "compute (" in place
