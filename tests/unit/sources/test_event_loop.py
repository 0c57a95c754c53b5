"""Stalls of real event loops, on threads of their own."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.ground.clock import ClockPair
from otel_flight.incidents.window import without_outdated
from otel_flight.names import attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.sources.event_loop import EventLoops
from tests.support.rigs.served_requests import DEADLINE_SECONDS, LoopThread, ServingRig, tick_until

LIMIT_SECONDS = 0.1
NewLoop = Callable[[], asyncio.AbstractEventLoop]


def new_uvloop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop, or skip the test."""
    loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
    return loop


@pytest.fixture
def rig(own_environment: Path) -> Iterator[ServingRig]:
    """Return a rig with a low limit."""
    with ServingRig(own_environment, loop_stall_seconds=LIMIT_SECONDS) as rig:
        yield rig


@pytest.fixture
def source(rig: ServingRig) -> Iterator[EventLoops]:
    """Return the source, and stop it in the end."""
    source = EventLoops(rig.settings.loop_stall_seconds or 0, rig.surroundings)
    source.start()
    yield source
    source.stop()


class Block:
    """A request that blocks its loop until it is told to go on."""

    def __init__(self, rig: ServingRig) -> None:
        self.tracer = rig.tracer
        self.trace_id = 0
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def hold_everything_up(self) -> None:
        """Block the calling thread."""
        self.has_begun.set()
        assert self.may_end.wait(DEADLINE_SECONDS)

    async def request(self) -> None:
        """Serve a request by blocking the loop."""
        with self.tracer.start_as_current_span("GET /report") as span:
            self.trace_id = span.get_span_context().trace_id
            await asyncio.sleep(0)
            self.hold_everything_up()


def beats(source: EventLoops, loop: LoopThread) -> bool:
    """Return whether a loop's beat has come at least once."""
    hearts = [heart for heart in source._hearts.values() if heart.loop is loop.loop]
    return any(heart.last_ns != heart.due_ns for heart in hearts)


def ended(rig: ServingRig) -> list[RuntimeEvent]:
    """Return the recorded stalls that have ended."""
    return [each for each in rig.hooked if names.ONGOING not in each.attributes]


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, new_uvloop])
def test_a_stall_is_recorded_with_what_blocks_and_for_whom(
    rig: ServingRig, source: EventLoops, new_loop: NewLoop
) -> None:
    """While it goes on and when it is over: the function, its stack, its thread, its request."""
    block = Block(rig)
    with LoopThread(new_loop) as loop:
        request = loop.submit(block.request())
        assert block.has_begun.wait(DEADLINE_SECONDS)
        tick_until(source.tick, lambda: bool(rig.hooked))
        ongoing = rig.hooked[0]
        block.may_end.set()
        request.result(DEADLINE_SECONDS)
        tick_until(source.tick, lambda: bool(ended(rig)))

        (last,) = ended(rig)

    assert ongoing.attributes[names.ONGOING] is True
    assert ongoing.duration_ns >= LIMIT_SECONDS * 1e9
    assert (last.start_ns, last.thread_id) == (ongoing.start_ns, loop.thread_id)
    assert last.end_ns >= ongoing.end_ns
    for event in (ongoing, last):
        assert event.name == "event loop blocked"
        assert event.trace_id == block.trace_id
        assert event.attributes[names.FUNCTION].endswith("hold_everything_up")
        assert event.attributes[names.FILE] == __file__
    (found,) = without_outdated(rig.events())
    assert found.stack is not None
    functions = [frame.function.rpartition(".")[2] for frame in found.stack.frames]
    assert functions.index("request") < functions.index("hold_everything_up")


def test_a_stall_after_a_rest_begins_with_its_request(rig: ServingRig, source: EventLoops) -> None:
    """The last beat may be long ago: the loop was not blocked before there was anything to do."""
    block = Block(rig)
    with LoopThread() as loop:
        tick_until(source.tick, lambda: beats(source, loop))
        (heart,) = source._hearts.values()
        tick_until(lambda: None, lambda: heart.due_ns == 0)
        rested = ClockPair.now()
        request = loop.submit(block.request())
        assert block.has_begun.wait(DEADLINE_SECONDS)
        tick_until(source.tick, lambda: bool(rig.hooked))
        block.may_end.set()
        request.result(DEADLINE_SECONDS)

    assert rig.hooked[0].start_ns >= rested.to_wall_ns(rested.monotonic_ns)


def test_a_child_task_blocks_for_the_request_that_made_it(
    rig: ServingRig, source: EventLoops
) -> None:
    """A task of its own still belongs to the span that was current when it was made."""
    block = Block(rig)

    async def child() -> None:
        block.hold_everything_up()

    async def request() -> None:
        with rig.tracer.start_as_current_span("GET /report") as span:
            block.trace_id = span.get_span_context().trace_id
            await asyncio.gather(child(), asyncio.sleep(0))

    with LoopThread() as loop:
        loop.submit(request())
        assert block.has_begun.wait(DEADLINE_SECONDS)
        tick_until(source.tick, lambda: bool(rig.hooked))
        block.may_end.set()

    assert rig.hooked[0].trace_id == block.trace_id


def test_a_callback_blocks_for_nobody(rig: ServingRig, source: EventLoops) -> None:
    """What is no task is named as well, without a request."""
    block = Block(rig)
    with LoopThread() as loop:
        tick_until(source.tick, lambda: source._scanned_ns > 0 and beats(source, loop))
        loop.loop.call_soon_threadsafe(block.hold_everything_up)
        assert block.has_begun.wait(DEADLINE_SECONDS)
        tick_until(source.tick, lambda: bool(rig.hooked))
        block.may_end.set()

    assert rig.hooked[0].name == "event loop blocked"
    assert rig.hooked[0].trace_id == 0
    assert rig.hooked[0].attributes[names.FUNCTION].endswith("hold_everything_up")


def test_loops_of_several_threads_are_told_apart(rig: ServingRig, source: EventLoops) -> None:
    """The loop that is blocked is the one that is named; the other goes on."""
    block = Block(rig)
    with LoopThread() as idle, LoopThread() as blocked:
        tick_until(source.tick, lambda: beats(source, idle) and beats(source, blocked))
        blocked.submit(block.request())
        assert block.has_begun.wait(DEADLINE_SECONDS)
        tick_until(source.tick, lambda: bool(rig.hooked))
        block.may_end.set()
        tick_until(source.tick, lambda: bool(ended(rig)))

    assert {event.thread_id for event in rig.hooked} == {blocked.thread_id}


def test_many_short_tasks_saturate_a_loop(rig: ServingRig, source: EventLoops) -> None:
    """No single one of them is blamed."""

    async def small(until: threading.Event) -> None:
        end = time.monotonic() + 0.004
        while time.monotonic() < end and not until.is_set():
            pass

    async def flood(until: threading.Event) -> None:
        await asyncio.gather(*(small(until) for _ in range(2_000)))

    has_enough = threading.Event()
    with LoopThread() as loop:
        tick_until(source.tick, lambda: beats(source, loop))
        flooding = loop.submit(flood(has_enough))
        tick_until(source.tick, lambda: bool(rig.hooked))
        has_enough.set()
        flooding.result(DEADLINE_SECONDS)

    event = rig.hooked[0]
    assert event.name == "event loop saturated"
    assert event.attributes[names.LOOP_STEPS] > 1
    assert names.FUNCTION not in event.attributes
    assert (event.trace_id, event.stack) == (0, 0)


def test_a_loop_that_goes_on_is_never_recorded(rig: ServingRig, source: EventLoops) -> None:
    """Requests that wait, or compute for less than the limit, are no stall."""

    async def request() -> None:
        with rig.tracer.start_as_current_span("GET /ok"):
            for _ in range(30):
                await asyncio.sleep(0.005)

    with LoopThread() as loop:
        tick_until(source.tick, lambda: beats(source, loop))
        done = loop.submit(request())
        tick_until(source.tick, done.done)

    assert rig.hooked == []
    assert source.stalls == 0


def test_the_time_between_two_runs_of_a_loop_is_no_stall(
    rig: ServingRig, source: EventLoops
) -> None:
    """A loop that is not running cannot be blocked, however late its timer comes."""
    loop = asyncio.new_event_loop()
    waited = threading.Event()

    async def work() -> None:
        with rig.tracer.start_as_current_span("job"):
            source.tick()
            await asyncio.sleep(0.03)

    try:
        loop.run_until_complete(work())
        source.tick()
        waited.wait(LIMIT_SECONDS * 2)
        source.tick()
        loop.run_until_complete(work())
        loop.run_until_complete(work())
        source.tick()
    finally:
        loop.close()

    assert rig.hooked == []


def test_a_loop_is_not_kept_alive(rig: ServingRig, source: EventLoops) -> None:
    """A closed loop is forgotten, and goes away with its last user."""

    def run_a_loop() -> weakref.ref[asyncio.AbstractEventLoop]:
        with LoopThread() as loop:
            tick_until(source.tick, lambda: beats(source, loop))
        return weakref.ref(loop.loop)

    reference = run_a_loop()
    source.tick()
    gc.collect()

    assert source._hearts == {}
    assert reference() is None


def test_after_the_stop_nothing_is_left_on_the_loop(rig: ServingRig, source: EventLoops) -> None:
    """The beat ends; no timer sets itself again."""
    with LoopThread() as loop:
        tick_until(source.tick, lambda: beats(source, loop))
        source.stop()

        async def timers() -> int:
            scheduled: Any = loop.loop._scheduled  # type: ignore[attr-defined]
            return sum("Heartbeat" in repr(each) for each in scheduled)

        tick_until(source.tick, lambda: loop.submit(timers()).result(DEADLINE_SECONDS) == 0)
        source.tick()

    assert source._hearts == {}


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own, which notes the timers that are set."""

    def __init__(self) -> None:
        self.timers: list[float] = []
        super().__init__()

    def time(self) -> float:
        """Return a time that nothing but the test advances."""
        return 1000.0

    def call_at(  # type: ignore[override]
        self, when: float, *arguments: Any, **named: Any
    ) -> asyncio.TimerHandle:
        """Set a timer, and note it."""
        self.timers.append(when)
        return super().call_at(when, *arguments, **named)


def test_a_loop_with_a_clock_of_its_own_has_no_beat(rig: ServingRig, source: EventLoops) -> None:
    """Simulated time goes from timer to timer: one of ours would be an event of the simulation."""
    with LoopThread(SimulatedLoop) as simulated, LoopThread() as real:
        tick_until(source.tick, lambda: beats(source, real))

        assert isinstance(simulated.loop, SimulatedLoop)
        assert simulated.loop.timers == []
        assert [heart.loop for heart in source._hearts.values()] == [real.loop]


def test_an_idle_loop_is_let_rest(rig: ServingRig, source: EventLoops) -> None:
    """Nothing wakes it any more, until a request is open again."""
    with LoopThread() as loop:
        tick_until(source.tick, lambda: beats(source, loop))
        (heart,) = source._hearts.values()
        tick_until(lambda: None, lambda: heart.due_ns == 0)

        with rig.tracer.start_as_current_span("GET /ok"):
            tick_until(source.tick, lambda: heart.due_ns > heart.last_ns)

    assert rig.hooked == []
