"""What slow requests are doing, looked at in real threads, tasks and pools."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Queue, SimpleQueue
from subprocess import PIPE
from typing import Any

import pytest

from otel_flight.incidents.window import WindowEvent
from otel_flight.names import attributes as names
from otel_flight.sources.base import SourceSet
from otel_flight.sources.gc_pauses import GcPauses
from otel_flight.sources.stack_samples import MOST_EARLY, MOST_SAMPLES, StackSamples
from otel_flight.testing import FakeClock
from tests.support.rigs.served_requests import (
    DEADLINE_SECONDS,
    Gate,
    LoopThread,
    ServingRig,
    serving,
    wait_until_at,
)

LIMIT_SECONDS = 0.25


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


@pytest.fixture
def rig(own_environment: Path, clock: FakeClock) -> Iterator[ServingRig]:
    """Return a rig on that clock."""
    with ServingRig(own_environment, clock, stacks_after_seconds=LIMIT_SECONDS) as rig:
        yield rig


@pytest.fixture
def source(rig: ServingRig) -> StackSamples:
    """Return the source."""
    return StackSamples(rig.settings.stacks_after_seconds or 0, rig.surroundings)


def look(source: StackSamples, clock: FakeClock, rig: ServingRig) -> list[WindowEvent]:
    """Let the open requests become slow, and return what is seen of them then."""
    source.tick()
    clock.advance(LIMIT_SECONDS + 0.01)
    known = len(rig.events())
    source.tick()
    return rig.events()[known:]


def functions(event: WindowEvent) -> list[str]:
    """Return the names of the functions of a sample's stack, without what they are in."""
    assert event.stack is not None
    return [frame.function.rpartition(".")[2] for frame in event.stack.frames]


def acquire_and_return(lock: threading.Lock | threading.Condition) -> None:
    """Acquire a lock in a function of which nothing is left."""
    lock.acquire()


def test_nothing_is_looked_at_before_the_limit(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """A request is young until it is older than the limit; an ended one is never looked at."""
    with rig.tracer.start_as_current_span("GET /ok"):
        source.tick()
        clock.advance(LIMIT_SECONDS - 0.01)
        source.tick()
    clock.advance(1)
    source.tick()

    assert rig.events() == []


def test_what_is_seen_early_is_kept_until_the_request_is_slow(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """So its time is known from a fifth of the limit on; nothing is recorded of one that ends."""
    gate = Gate()
    with serving(rig, gate.pass_through, "GET /slow"):
        gate.wait_until_reached()
        source.tick()
        began_ns = clock.wall_ns()
        for _ in range(2):
            clock.advance(LIMIT_SECONDS * 0.4)
            source.tick()
        assert rig.events() == []

        clock.advance(LIMIT_SECONDS * 0.4)
        source.tick()

        gate.may_go_on.set()
    moments = [event.start_ns - began_ns for event in rig.events()]
    assert moments == pytest.approx([1e8, 2e8, 3e8], rel=0.01)


def test_looks_are_counted_as_activity(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """The ticker goes on as usual while one slow request is all that there is; not for many."""
    sources = SourceSet((source,))
    gate = Gate()
    with serving(rig, gate.pass_through, "GET /slow"):
        gate.wait_until_reached()
        seen = look(source, clock, rig)
        gate.may_go_on.set()

    assert sources.samples(open_spans=1) == len(seen) == 1
    assert sources.samples(open_spans=10_000) == 0


def test_few_are_looked_at_early(rig: ServingRig, source: StackSamples, clock: FakeClock) -> None:
    """The oldest of those that are not slow yet, as most of them never will be."""
    gates = [Gate() for _ in range(MOST_EARLY + 2)]
    with ExitStack() as stack:
        for number, gate in enumerate(gates):
            stack.enter_context(serving(rig, gate.pass_through, f"GET /{number}"))
            gate.wait_until_reached()
        source.tick()
        for _ in range(2):
            clock.advance(LIMIT_SECONDS * 0.6)
            source.tick()
        for gate in gates:
            gate.may_go_on.set()

    assert len(rig.events()) == len(gates) + MOST_EARLY


def test_a_thread_is_seen_where_it_is(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """The sample has the stack, the thread and the request."""
    gate = Gate()
    with serving(rig, gate.pass_through, "GET /slow") as thread:
        gate.wait_until_reached()
        (span,) = rig.session.open_spans.spans.values()

        (event,) = look(source, clock, rig)

        gate.may_go_on.set()
    assert event.record.name == "waiting"
    assert event.record.attributes[names.WAIT_KIND] == "event"
    assert event.record.thread_id == thread.ident
    assert event.record.trace_id == span.get_span_context().trace_id
    assert event.record.span_id == span.get_span_context().span_id
    assert "pass_through" in functions(event)


def test_the_holder_of_a_lock_is_found(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """Who waits says for which lock; what its holder does, and for whom, is said with it."""
    gate = Gate()
    lock = threading.Lock()

    def export() -> None:
        with lock:
            write_slowly()

    def write_slowly() -> None:
        gate.pass_through()

    def change() -> None:
        with lock:
            pass

    with serving(rig, export, "GET /export"):
        gate.wait_until_reached()
        (holder,) = rig.session.open_spans.spans.values()
        with serving(rig, change, "GET /change") as waiting:
            wait_until_at(waiting, "change")

            _, event = look(source, clock, rig)

            gate.may_go_on.set()
    attributes = event.record.attributes
    assert (attributes[names.WAIT_KIND], attributes[names.WAIT_ON]) == ("lock", "lock")
    assert "pass_through" in attributes[names.HOLDER]
    assert "served_requests.py" in attributes[names.HOLDER]
    assert int(attributes[names.HOLDER_TRACE_ID], 16) == holder.get_span_context().trace_id


def test_another_lock_of_the_same_name_has_no_holder(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """The very same object must be held: a lock of that name is not enough."""
    gate, held = Gate(), threading.Lock()

    def export(lock: threading.Lock) -> None:
        with lock:
            gate.pass_through()

    def change(lock: threading.Lock) -> None:
        with lock:
            pass

    acquire_and_return(held)
    with serving(rig, lambda: export(threading.Lock()), "GET /export"):
        gate.wait_until_reached()
        with serving(rig, lambda: change(held), "GET /change") as waiting:
            wait_until_at(waiting, "change")
            _, event = look(source, clock, rig)
            gate.may_go_on.set()
            held.release()

    assert event.record.attributes[names.WAIT_KIND] == "lock"
    assert names.HOLDER not in event.record.attributes


@contextmanager
def waiting_for(rig: ServingRig, lock: Any) -> Iterator[None]:
    """Serve a request that waits for a lock until it gets it."""

    def change() -> None:
        with lock:
            pass

    with serving(rig, change, "GET /change") as waiting:
        wait_until_at(waiting, "change")
        yield


def holder_in(event: WindowEvent) -> str:
    """Return who is said to hold the lock that a request waits for, or nothing."""
    assert event.record.attributes[names.WAIT_KIND] == "lock"
    return str(event.record.attributes.get(names.HOLDER, ""))


def test_the_holder_of_a_lock_that_was_acquired_by_a_call_is_found(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """As if it were in a `with` block: a function that is between `acquire` and `release`."""
    gate, lock = Gate(), threading.Lock()

    def export() -> None:
        lock.acquire()
        try:
            gate.pass_through()
        finally:
            lock.release()

    with serving(rig, export, "GET /export"):
        gate.wait_until_reached()
        with waiting_for(rig, lock):
            _, event = look(source, clock, rig)

            gate.may_go_on.set()
    assert "pass_through" in holder_in(event)


def test_all_who_wait_for_a_lock_are_told_who_holds_it(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """The holder is looked for once with each tick; one that waits is none."""
    gate, lock = Gate(), threading.Lock()

    def export() -> None:
        with lock:
            gate.pass_through()

    with serving(rig, export, "GET /export"):
        gate.wait_until_reached()
        with waiting_for(rig, lock), waiting_for(rig, lock):
            _, *events = look(source, clock, rig)

            gate.may_go_on.set()
    assert len(events) == 2
    assert all("pass_through" in holder_in(event) for event in events)


def test_who_has_released_a_lock_does_not_hold_it(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """Nor does who acquires it in the end, nor who lets go of it in a function within."""
    gate, inner_gate, lock = Gate(), Gate(), threading.Lock()

    def export() -> None:
        lock.acquire()
        lock.release()
        gate.pass_through()
        lock.acquire()
        lock.release()

    def let_others_go_first() -> None:
        lock.release()
        inner_gate.pass_through()
        lock.acquire()

    def import_all() -> None:
        with lock:
            let_others_go_first()

    with serving(rig, export, "GET /export"), serving(rig, import_all, "GET /import"):
        gate.wait_until_reached()
        inner_gate.wait_until_reached()
        acquire_and_return(lock)
        with waiting_for(rig, lock):
            *_, event = look(source, clock, rig)

            lock.release()
            gate.may_go_on.set()
            inner_gate.may_go_on.set()
    assert holder_in(event) == ""


def test_of_two_that_seem_to_hold_a_lock_none_is_named(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """One of them has it no more: it was released by another thread, as a `Lock` may be."""
    first_gate, second_gate, lock = Gate(), Gate(), threading.Lock()
    is_acquired = threading.Event()

    def hand_over() -> None:
        lock.acquire()
        is_acquired.set()
        first_gate.pass_through()
        lock.release()

    def take_over() -> None:
        is_acquired.wait(DEADLINE_SECONDS)
        lock.release()
        lock.acquire()
        second_gate.pass_through()

    with serving(rig, hand_over, "GET /first"), serving(rig, take_over, "GET /second"):
        first_gate.wait_until_reached()
        second_gate.wait_until_reached()
        with waiting_for(rig, lock):
            *_, event = look(source, clock, rig)

            first_gate.may_go_on.set()
            second_gate.may_go_on.set()
    assert holder_in(event) == ""


def test_a_reentrant_lock_says_itself_which_thread_holds_it(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """However it was acquired."""
    gate, lock = Gate(), threading.RLock()

    def export() -> None:
        if lock.acquire(timeout=DEADLINE_SECONDS):
            gate.pass_through()
        lock.release()

    with serving(rig, export, "GET /export") as thread:
        gate.wait_until_reached()
        with waiting_for(rig, lock):
            _, event = look(source, clock, rig)

            gate.may_go_on.set()
    assert "pass_through" in holder_in(event)
    assert event.record.attributes[names.HOLDER_THREAD_ID] == thread.ident


def test_a_reentrant_lock_that_a_function_acquired_that_has_returned(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """As a handler of `logging` does: its thread is known, and what that does is told."""
    gate, handler = Gate(), logging.Handler()

    def export() -> None:
        handler.acquire()
        gate.pass_through()
        handler.release()

    with serving(rig, export, "GET /export") as thread:
        gate.wait_until_reached()
        with waiting_for(rig, handler.lock):
            _, event = look(source, clock, rig)

            gate.may_go_on.set()
    assert "pass_through" in holder_in(event)
    assert event.record.attributes[names.HOLDER_THREAD_ID] == thread.ident


def test_one_of_those_who_have_a_semaphore_is_named(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """Each of them keeps the one that waits from a place."""
    gates, slots = (Gate(), Gate()), threading.Semaphore(2)

    def export(gate: Gate) -> None:
        with slots:
            gate.pass_through()

    def change() -> None:
        with slots:
            pass

    with ExitStack() as serve:
        for gate in gates:
            serve.enter_context(serving(rig, partial(export, gate), "GET /export"))
            gate.wait_until_reached()
        waiting = serve.enter_context(serving(rig, change, "GET /change"))
        wait_until_at(waiting, within="acquire")
        *_, event = look(source, clock, rig)

        for gate in gates:
            gate.may_go_on.set()
    assert event.record.attributes[names.WAIT_KIND] == "semaphore"
    assert "pass_through" in str(event.record.attributes[names.HOLDER])


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="nobody sees such tasks")
def test_a_task_of_no_request_has_a_lock(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """Who has it is told by the function that has it, and by the one that it is in."""
    is_waiting = threading.Event()

    async def fetch_anew() -> None:
        await asyncio.sleep(DEADLINE_SECONDS)

    async def refresh(lock: asyncio.Lock) -> None:
        async with lock:
            await fetch_anew()

    async def take(lock: asyncio.Lock) -> None:
        asyncio.get_running_loop().call_soon(is_waiting.set)
        async with lock:
            pass

    async def serve() -> None:
        lock = asyncio.Lock()
        holder = asyncio.ensure_future(refresh(lock))
        await asyncio.sleep(0)
        await asyncio.gather(request_of(rig, take(lock)), holder)

    with LoopThread() as loop:
        loop.submit(serve())
        assert is_waiting.wait(DEADLINE_SECONDS)

        (event,) = look(source, clock, rig)

    outer, inner = holder_in(event).split(", in ")
    assert "refresh" in outer
    assert "fetch_anew" in inner


def on_a_semaphore() -> tuple[Callable[[], object], Callable[[], object]]:
    """Return what waits for a semaphore, and what ends that."""
    slots = threading.Semaphore(0)

    def take() -> None:
        with slots:
            pass

    return take, slots.release


def on_a_queue() -> tuple[Callable[[], object], Callable[[], object]]:
    """Return what waits for something in a queue, and what ends that."""
    orders: Queue[int] = Queue()
    return orders.get, lambda: orders.put(1)


def on_a_future() -> tuple[Callable[[], object], Callable[[], object]]:
    """Return what waits for another thread's work, and what ends that."""
    work: Future[int] = Future()
    return work.result, lambda: work.set_result(1)


def on_an_event() -> tuple[Callable[[], object], Callable[[], object]]:
    """Return what waits to be told, and what ends that."""
    event = threading.Event()
    return event.wait, event.set


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (on_a_semaphore, ("semaphore", "slots")),
        (on_a_queue, ("queue", "Queue")),
        (on_a_future, ("future", "Future")),
        (on_an_event, ("event", "Event")),
    ],
)
def test_not_the_condition_inside_is_what_a_thread_waits_for(
    rig: ServingRig,
    source: StackSamples,
    clock: FakeClock,
    waiting: Callable[[], tuple[Callable[[], object], Callable[[], object]]],
    expected: tuple[str, str],
) -> None:
    """Semaphores, queues, futures and events wait by one, which says nothing."""
    wait, end = waiting()

    with serving(rig, wait, "GET /slow") as thread:
        wait_until_at(thread, "wait")

        (event,) = look(source, clock, rig)

        end()
    attributes = event.record.attributes
    assert (attributes[names.WAIT_KIND], attributes[names.WAIT_ON]) == expected


async def request_of(rig: ServingRig, work: Any) -> None:
    """Serve a request as a task."""
    with rig.tracer.start_as_current_span("GET /slow"):
        await work


async def fetch(is_waiting: threading.Event) -> None:
    """Wait as long as a test takes, and say when that has begun."""
    asyncio.get_running_loop().call_soon(is_waiting.set)
    await asyncio.sleep(DEADLINE_SECONDS)


def test_a_waiting_task_is_seen_by_its_await_chain(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """The coroutines are the stack; what the innermost one waits for is named."""
    queue: asyncio.Queue[int] | None = None
    is_waiting = threading.Event()

    async def take_next() -> None:
        nonlocal queue
        queue = asyncio.Queue()
        asyncio.get_running_loop().call_soon(is_waiting.set)
        await queue.get()

    with LoopThread() as loop:
        loop.submit(request_of(rig, take_next()))
        assert is_waiting.wait(DEADLINE_SECONDS)

        (event,) = look(source, clock, rig)

    assert event.record.name == "waiting"
    assert functions(event) == ["request_of", "take_next", "get"]
    assert event.record.attributes == {names.WAIT_KIND: "queue", names.WAIT_ON: "Queue"}
    assert event.record.thread_id == loop.thread_id


def test_a_look_leaves_no_cycles(rig: ServingRig, source: StackSamples, clock: FakeClock) -> None:
    """What was seen of threads and tasks is gone at once, and not with the next collection."""
    is_waiting = threading.Event()

    with LoopThread() as loop:
        loop.submit(request_of(rig, fetch(is_waiting)))
        assert is_waiting.wait(DEADLINE_SECONDS)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            assert look(source, clock, rig)
            gc.collect()
            left = [each for each in gc.garbage if type(each).__module__.startswith("otel_flight")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    assert left == []


def test_the_first_of_many_tasks_is_no_queue(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """`as_completed` has one, which nobody who wrote the program knows of."""
    is_waiting = threading.Event()

    async def take_first() -> None:
        for first in asyncio.as_completed([fetch(is_waiting)]):
            await first

    with LoopThread() as loop:
        loop.submit(request_of(rig, take_first()))
        assert is_waiting.wait(DEADLINE_SECONDS)

        (event,) = look(source, clock, rig)

    assert event.record.attributes == {names.WAIT_KIND: "task", names.WAIT_ON: "as_completed()"}


@pytest.mark.parametrize("library", ["asyncio", "uvloop"])
def test_what_a_subprocess_writes_comes_through_a_pipe(
    rig: ServingRig, source: StackSamples, clock: FakeClock, library: str
) -> None:
    """A stream of asyncio's may be that, and not the network."""
    is_waiting = threading.Event()

    async def read_line() -> None:
        process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        assert process.stdin
        assert process.stdout
        asyncio.get_running_loop().call_soon(is_waiting.set)
        try:
            await process.stdout.readline()
        finally:
            process.stdin.close()
            await process.wait()

    with LoopThread(pytest.importorskip(library).new_event_loop) as loop:
        loop.submit(request_of(rig, read_line()))
        assert is_waiting.wait(DEADLINE_SECONDS)

        (event,) = look(source, clock, rig)

    assert event.record.attributes == {names.WAIT_KIND: "pipe", names.WAIT_ON: "read"}


def test_a_task_that_waits_for_other_tasks_is_seen_in_one_of_them(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """What `gather` waits for is what its first task, that is not done, waits for."""
    is_waiting = threading.Event()

    async def fetch_all() -> None:
        await asyncio.gather(asyncio.sleep(0), fetch(is_waiting))

    with LoopThread() as loop:
        loop.submit(request_of(rig, fetch_all()))
        assert is_waiting.wait(DEADLINE_SECONDS)

        (event,) = look(source, clock, rig)

    assert functions(event) == ["request_of", "fetch_all", "fetch", "sleep"]
    assert event.record.attributes[names.WAIT_KIND] == "sleep"


def test_a_running_task_is_seen_on_the_thread_of_its_loop(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """A task that blocks its loop is no waiting task."""
    gate = Gate()

    async def compute() -> None:
        gate.pass_through()

    with LoopThread() as loop:
        done = loop.submit(request_of(rig, compute()))
        gate.wait_until_reached()

        (event,) = look(source, clock, rig)

        gate.may_go_on.set()
        done.result(DEADLINE_SECONDS)
    assert event.record.name == "running"
    assert {"compute", "pass_through"} <= set(functions(event))
    assert event.record.thread_id == loop.thread_id


def to_thread(function: Callable[[], None]) -> Any:
    """Run a function in the default pool, in the request's context."""
    return asyncio.to_thread(function)


async def in_executor(function: Callable[[], None]) -> None:
    """Run a function in the default pool, in no context."""
    await asyncio.get_running_loop().run_in_executor(None, function)


async def in_anyio_thread(function: Callable[[], None]) -> None:
    """Run a function as Starlette does."""
    await pytest.importorskip("anyio").to_thread.run_sync(function)


async def in_shielded_executor(function: Callable[[], None]) -> None:
    """Run a function as asgiref does, and with it Django."""
    await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, function))


async def in_one_of_many(function: Callable[[], None]) -> None:
    """Run a function beside another one, which is soon done."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(loop.run_in_executor(None, int), loop.run_in_executor(None, function))


@pytest.mark.parametrize(
    "run", [to_thread, in_executor, in_anyio_thread, in_shielded_executor, in_one_of_many]
)
def test_work_on_a_pool_is_seen_on_its_thread(
    rig: ServingRig, source: StackSamples, clock: FakeClock, run: Callable[[Any], Any]
) -> None:
    """The stack goes on from the coroutine that waits into the function on the other thread."""
    gate = Gate()
    seen: list[int] = []

    def work() -> None:
        seen.append(threading.get_ident())
        gate.pass_through()

    async def handler() -> None:
        await run(work)

    with LoopThread() as loop:
        done = loop.submit(request_of(rig, handler()))
        gate.wait_until_reached()
        # The future that is waited for exists when the loop has come back to its own business.
        loop.submit(asyncio.sleep(0)).result(DEADLINE_SECONDS)

        (event,) = look(source, clock, rig)

        gate.may_go_on.set()
        done.result(DEADLINE_SECONDS)
    order = functions(event)
    assert order.index("handler") < order.index("work") < order.index("pass_through")
    assert [event.record.thread_id] == seen
    assert loop.thread_id not in seen


def test_a_pool_without_a_free_thread_is_named_with_its_users(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """Work that stands in the queue waits for the pool, and those who keep its threads are told."""
    gate = Gate()
    pool = ThreadPoolExecutor(1, thread_name_prefix="reports")
    is_queued = threading.Event()

    async def handler(function: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(is_queued.set)
        await loop.run_in_executor(pool, function)

    with pool, LoopThread() as loop:
        first = loop.submit(request_of(rig, handler(gate.pass_through)))
        gate.wait_until_reached()
        assert is_queued.wait(DEADLINE_SECONDS)
        (user,) = rig.session.open_spans.spans.values()
        is_queued.clear()
        second = loop.submit(request_of(rig, handler(lambda: None)))
        assert is_queued.wait(DEADLINE_SECONDS)

        events = look(source, clock, rig)

        gate.may_go_on.set()
        first.result(DEADLINE_SECONDS)
        second.result(DEADLINE_SECONDS)
    attributes = events[1].record.attributes
    assert attributes[names.WAIT_KIND] == "thread pool"
    assert attributes[names.WAIT_ON] == "reports"
    assert attributes[names.POOL_THREADS] == 1
    assert "pass_through" in attributes[names.POOL_BUSY][0]
    traces = [int(each, 16) for each in attributes[names.POOL_TRACE_IDS]]
    assert traces == [user.get_span_context().trace_id]


def test_a_connection_pool_without_a_free_connection_is_named(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """Not the queue inside it, which is only how it works."""
    pool = pytest.importorskip("urllib3").HTTPConnectionPool("127.0.0.1", maxsize=1, block=True)
    connection = pool._get_conn()

    with serving(rig, lambda: pool._get_conn(timeout=DEADLINE_SECONDS), "GET /rates") as waiting:
        wait_until_at(waiting, "wait")

        (event,) = look(source, clock, rig)

        pool._put_conn(connection)
    pool.close()
    assert event.record.attributes == {
        names.WAIT_KIND: "connection pool",
        names.WAIT_ON: "urllib3 to 127.0.0.1",
        names.WAIT_LIMIT: int(DEADLINE_SECONDS * 1e9),
    }


def test_a_condition_that_is_waited_for_is_held_by_nobody(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """Who waits for a condition inside its `with` block has let go of it."""
    condition = threading.Condition()
    may_end = threading.Event()

    def consume() -> None:
        with condition:
            condition.wait_for(may_end.is_set)

    def produce() -> None:
        with condition:
            pass

    with serving(rig, consume, "GET /consume") as consumer:
        wait_until_at(consumer, "wait")
        acquire_and_return(condition)
        with serving(rig, produce, "GET /produce") as producer:
            wait_until_at(producer, "__enter__")

            _, event = look(source, clock, rig)

            may_end.set()
            condition.notify_all()
            condition.release()
    assert event.record.attributes[names.WAIT_KIND] in {"lock", "condition"}
    assert names.HOLDER not in event.record.attributes


class SlowClock(FakeClock):
    """Is read as soon as the test says what it shows; by a function written in C."""

    def __init__(self, shown: SimpleQueue[int]) -> None:
        super().__init__()
        self.monotonic_ns = shown.get  # type: ignore[method-assign]


@pytest.fixture
def no_collections() -> Iterator[None]:
    """Let no collection run but those that are asked for."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collections")
def test_our_own_callback_is_no_part_of_what_a_request_does(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """Who is seen within it runs the function that it interrupted, and waits for nothing."""
    shown: SimpleQueue[int] = SimpleQueue()
    collections = GcPauses(
        rig.settings.gc_pause_seconds or 0, replace(rig.surroundings, clock=SlowClock(shown))
    )

    def fill_cache() -> None:
        collections.start()
        try:
            gc.collect()
        finally:
            collections.stop()

    with serving(rig, fill_cache, "GET /slow") as thread:
        wait_until_at(thread, "_collecting")

        (event,) = look(source, clock, rig)

        shown.put(1)
        shown.put(2)
    assert event.record.name == "running"
    assert event.record.attributes == {}
    assert functions(event)[-1] == "fill_cache"


@pytest.mark.skipif(
    not Path("/proc/thread-self/schedstat").exists(), reason="this kernel does not count it"
)
def test_what_a_running_thread_got_of_the_processors(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """From its second sample on; of a thread that waits for something else nothing is said."""
    is_over = False

    def compute() -> None:
        while not is_over:
            pass

    with serving(rig, compute, "GET /report") as thread:
        wait_until_at(thread, "compute")
        (first,) = look(source, clock, rig)
        clock.advance(1)
        source.tick()
        is_over = True
    gate = Gate()
    with serving(rig, gate.pass_through, "GET /slow"):
        gate.wait_until_reached()
        look(source, clock, rig)
        clock.advance(1)
        source.tick()
        gate.may_go_on.set()

    name = "flight_recorder.run_queue_ns"
    _, second, *waiting = rig.events()
    assert name not in first.record.attributes
    assert second.record.attributes[name] >= 0
    assert [each.record.name for each in waiting] == ["waiting", "waiting"]
    assert not any(name in each.record.attributes for each in waiting)


def test_the_older_a_request_the_fewer_its_samples(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """A connection that is open for hours costs next to nothing; the first seconds are dense."""
    gate = Gate()
    with serving(rig, gate.pass_through, "GET /events"):
        gate.wait_until_reached()
        counts = []
        for _ in range(2):
            before = source.samples
            for _ in range(20):
                clock.advance(0.1)
                source.tick()
            counts.append(source.samples - before)
            clock.advance(3600)
        gate.may_go_on.set()

    assert counts[0] >= 15
    assert counts[1] == 1


def test_ten_thousand_tasks_are_not_all_looked_at(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """One tick takes a few samples, however many requests are slow."""
    is_full = threading.Event()

    async def serve_all() -> None:
        forever = asyncio.Event()
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(request_of(rig, forever.wait())) for _ in range(10_000)]
        await asyncio.sleep(0)
        is_full.set()
        await asyncio.gather(*tasks)

    with LoopThread() as loop:
        loop.submit(serve_all())
        assert is_full.wait(DEADLINE_SECONDS)

        events = look(source, clock, rig)

    assert len(events) == MOST_SAMPLES


def test_a_wall_clock_set_forward_makes_no_request_old(
    rig: ServingRig, source: StackSamples, clock: FakeClock
) -> None:
    """Age is by the clock that nobody sets."""
    gate = Gate()
    with serving(rig, gate.pass_through, "GET /ok"):
        gate.wait_until_reached()
        source.tick()
        clock.set_wall(3600)
        source.tick()
        gate.may_go_on.set()

    assert source.samples == 0
