"""A look at another thread's stack changes nothing there, and keeps nothing alive."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

import pytest

from otel_flight.interpreter.frames import (
    CAN_READ_LOCALS,
    awaiting_stack,
    can_look,
    current_stack,
    current_stacks,
    value_in,
    values_in,
    values_of_packages,
)
from tests.support.implementations.frame_readers import READERS
from tests.support.rigs.looked_at import looked_at

needs_locals = pytest.mark.skipif(
    not CAN_READ_LOCALS, reason="local variables are not read without C before Python 3.13"
)


class Thing:
    """What a local variable has."""


class Standing:
    """A thread that stands still in `function`, which is given a function that waits."""

    def __init__(self, function: Callable[[Callable[[], None]], None]) -> None:
        self._reached = threading.Semaphore(0)
        self._gone_on = threading.Semaphore(0)
        self._thread = threading.Thread(target=function, args=(self._wait,))
        self._thread.start()
        self.until_reached()

    @property
    def id(self) -> int:
        """The thread's id."""
        assert self._thread.ident is not None
        return self._thread.ident

    def _wait(self) -> None:
        self._reached.release()
        self._gone_on.acquire()

    def until_reached(self) -> None:
        """Wait until it stands still."""
        assert self._reached.acquire(timeout=20)

    def go_on(self) -> None:
        """Let it go on to where it waits the next time, or to its end."""
        self._gone_on.release()

    def end(self) -> None:
        """Let it go on to its end."""
        self._gone_on.release(100)
        self._thread.join(20)


@contextmanager
def standing(function: Callable[[Callable[[], None]], None]) -> Iterator[Standing]:
    """Yield a thread that stands still there, and let it end."""
    found = Standing(function)
    try:
        yield found
    finally:
        found.end()


def frame_in(thread_id: int, function: Any) -> Any:
    """Return the frame of a function in the stack of a thread."""
    return next(each for each in current_stack(thread_id) if each.code is function.__code__)


def test_the_thread_that_looks_is_not_among_those_looked_at() -> None:
    """What it finds must not lead back to itself: that is a cycle."""
    assert threading.get_ident() not in current_stacks()
    assert looked_at(lambda stack: stack[-1].code.co_name) == (
        "test_the_thread_that_looks_is_not_among_those_looked_at"
    )


@pytest.mark.parametrize("reader", READERS)
def test_who_keeps_a_stack_keeps_nothing_of_the_program(reader: Any) -> None:
    """A local variable ends when its function does, on the thread of that function."""
    ended_on: list[int] = []

    def function(wait: Callable[[], None]) -> None:
        thing = Thing()
        weakref.finalize(thing, lambda: ended_on.append(threading.get_ident()))
        wait()

    with standing(function) as thread:
        stack = reader.stack_of(thread.id, 100)
        everything = reader.stacks(100)
        thread.end()

        assert ended_on == [thread.id]
        assert stack
        assert everything[thread.id]


@pytest.mark.parametrize("reader", READERS)
def test_a_thread_that_is_not_there_has_no_stack(reader: Any) -> None:
    """One that has ended, say."""
    assert reader.stack_of(1, 100) == ()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("is_on", [True, False])
def test_collections_are_on_or_off_as_before(reader: Any, is_on: bool) -> None:
    """Many a batch job turns them off."""
    if not is_on:
        gc.disable()
    try:
        reader.stacks(100)
        reader.stack_of(threading.main_thread().ident, 100)

        assert gc.isenabled() is is_on
    finally:
        gc.enable()


@pytest.mark.parametrize("reader", READERS)
def test_nobody_sees_that_collections_were_off(reader: Any) -> None:
    """A program that asks, and restores what it was told, would leave them off for ever."""
    seen_off = 0
    is_over = False

    def ask() -> None:
        nonlocal seen_off
        while not is_over:
            seen_off += not gc.isenabled()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for _ in range(500):
            reader.stacks(100)
    finally:
        is_over = True
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join(20)

    assert seen_off == 0


@needs_locals
def test_what_is_read_is_not_written() -> None:
    """Before Python 3.13 all who ask a frame for its local variables share one dictionary."""
    shared: list[dict[str, Any]] = []

    def function(wait: Callable[[], None]) -> None:
        name = "tea"
        shared.append(sys._getframe().f_locals)
        wait()
        assert name

    with standing(function) as thread:
        frame = frame_in(thread.id, function)

        assert values_in([(frame, "name"), (frame, "nobody"), (frame, "Thing")]) == [
            "tea",
            None,
            Thing,
        ]
        assert shared[0]["name"] == "tea"


@needs_locals
def test_a_frame_that_has_gone_on_says_nothing() -> None:
    """What its variables have now is not what was seen; nor has the next call the same ones."""

    def inner(thing: object, wait: Callable[[], None]) -> None:
        wait()
        wait()

    def function(wait: Callable[[], None]) -> None:
        inner("first", wait)
        inner("second", wait)

    with standing(function) as thread:
        first, outer = frame_in(thread.id, inner), frame_in(thread.id, function)
        assert value_in(first, "thing") == "first"
        thread.go_on()
        thread.until_reached()

        assert value_in(first, "thing") is None
        assert value_in(outer, "wait") is not None

        thread.end()
        assert value_in(outer, "wait") is None


@needs_locals
def test_values_of_a_package_are_found_by_their_types() -> None:
    """Of all local variables, no others are touched."""

    def function(wait: Callable[[], None]) -> None:
        loop = asyncio.new_event_loop()
        other, message = Thing(), "tea"
        wait()
        loop.close()
        assert [other, message]

    with standing(function) as thread:
        frame = frame_in(thread.id, function)

        (found,) = values_of_packages([frame], ("asyncio",))
        assert isinstance(found, asyncio.AbstractEventLoop)
        assert values_of_packages([frame], ("asynci", "asyncio.events")) == []
        assert [type(each) for each in values_of_packages([frame], ("tests",))] == [Thing]


def test_a_stack_of_coroutines_keeps_none_of_them() -> None:
    """And says nothing of their variables when they are gone."""

    async def wait(never: asyncio.Future[None]) -> None:
        thing = Thing()
        ended.append(weakref.ref(thing))
        await never

    ended: list[Any] = []

    async def run() -> None:
        never = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(wait(never))
        await asyncio.sleep(0)
        ((frame,), _) = awaiting_stack(task.get_coro())
        assert value_in(frame, "thing") is (ended[0]() if CAN_READ_LOCALS else None)
        task.cancel()
        await asyncio.wait([task])
        del task

        assert ended[0]() is None
        assert value_in(frame, "never") is None

    asyncio.run(run())


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters have one GIL")
def test_nobody_looks_while_there_is_another_interpreter(reader: Any) -> None:
    """Its threads run while this one looks."""
    is_new = sys.version_info >= (3, 13)
    interpreters: Any = import_module("_interpreters" if is_new else "_xxsubinterpreters")
    assert reader.can_look()
    assert can_look()

    other = interpreters.create()
    try:
        assert not reader.can_look()
        assert reader.stacks(100) == {}
        assert reader.stack_of(threading.get_ident(), 100) == ()
    finally:
        interpreters.destroy(other)

    assert reader.can_look()


@pytest.mark.parametrize("reader", READERS)
def test_a_frame_that_the_program_has_already_is_the_same_one(reader: Any) -> None:
    """The program's own frame objects are as they were."""
    frames: list[FrameType] = []

    def function(wait: Callable[[], None]) -> None:
        frames.append(sys._getframe())
        wait()

    with standing(function) as thread:
        line = frames[0].f_lineno
        stack = reader.stack_of(thread.id, 100)

        assert (frames[0].f_code, line) in [(each.code, each.line) for each in stack]
        thread.end()
        assert frames[0].f_code is function.__code__
    frames.clear()
