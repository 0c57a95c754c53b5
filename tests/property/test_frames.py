"""Both readers of frames see what the interpreter itself says, whatever the stack."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_flight.interpreter.frames import MOST_FRAMES
from tests.support.implementations.frame_readers import COMPILED, IN_PYTHON, READERS, needs_compiled

Go = Callable[[], None]
"""What a kind of call does in the end: the next one."""


def plain(number: int, go: Go) -> None:
    """A function with a few local variables."""
    doubled = number * 2
    go()
    del doubled


def with_cells(number: int, go: Go) -> None:
    """A function whose variables, the argument too, are those of a function within it."""
    doubled = number * 2

    def inner() -> int:
        return number + doubled

    go()
    inner()


def in_free_variables(number: int, go: Go) -> None:
    """A function whose variables are those of the one around it."""
    held = [number]

    def inner() -> None:
        go()
        held.clear()

    inner()


def in_generator(number: int, go: Go) -> None:
    """A generator that runs."""

    def generate() -> Iterator[int]:
        yield number
        go()

    list(generate())


def in_class_body(number: int, go: Go) -> None:
    """A class body has its local variables in a dictionary."""

    class Body:
        held = number
        go()


def through_native_code(number: int, go: Go) -> None:
    """A call from a function written in C."""
    list(map(lambda _: go(), [number]))  # noqa: C417


def in_comprehension(number: int, go: Go) -> None:
    """A comprehension, which has its variables in the function itself from Python 3.12 on."""
    [go() for each in [number] if each == number]  # type: ignore[func-returns-value]


def in_exec(number: int, go: Go) -> None:
    """Code without a file."""
    exec("held = number\ngo()", {"go": go, "number": number})


KINDS = (
    plain,
    with_cells,
    in_free_variables,
    in_generator,
    in_class_body,
    through_native_code,
    in_comprehension,
    in_exec,
)
stacks = st.lists(st.sampled_from(KINDS), max_size=12)


@contextmanager
def standing(kinds: Sequence[Callable[[int, Go], None]]) -> Iterator[int]:
    """Yield the id of a thread that stands in such calls, one within the other."""
    reached, done = threading.Event(), threading.Event()

    def go_on(at: int) -> None:
        if at < len(kinds):
            kinds[at](at, lambda: go_on(at + 1))
        else:
            reached.set()
            done.wait()

    thread = threading.Thread(target=go_on, args=(0,))
    thread.start()
    try:
        reached.wait(20)
        assert thread.ident is not None
        yield thread.ident
    finally:
        done.set()
        thread.join(20)


def frames_of(thread_id: int) -> list[FrameType]:
    """Return the frames of a thread, outermost first, as the interpreter gives them."""
    found = []
    frame = sys._current_frames().get(thread_id)
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found[::-1]


def settled(thread_id: int, reader: Any) -> Any:
    """Return the stack of a thread which has come to where it stands still."""
    stack = reader.stack_of(thread_id, MOST_FRAMES)
    while not stack or stack[-1].code.co_name != "wait":
        stack = reader.stack_of(thread_id, MOST_FRAMES)
    again = reader.stack_of(thread_id, MOST_FRAMES)
    return again if places(again) == places(stack) else settled(thread_id, reader)


def places(stack: Any) -> list[tuple[Any, int, int]]:
    """Return what a stack says of its frames."""
    return [(each.code, each.offset, each.line) for each in stack]


@pytest.mark.parametrize("reader", READERS)
@given(kinds=stacks)
def test_a_stack_is_what_the_interpreter_says(reader: Any, kinds: Any) -> None:
    """The codes, the instructions and the lines; in all stacks, and in a short one, the same."""
    with standing(kinds) as thread_id:
        stack = settled(thread_id, reader)
        frames = frames_of(thread_id)

        assert places(stack) == [(each.f_code, each.f_lasti, each.f_lineno) for each in frames]
        assert places(reader.stacks(MOST_FRAMES)[thread_id]) == places(stack)
        assert places(reader.stack_of(thread_id, 3)) == places(stack)[-3:]
        assert len({each.key for each in stack}) == len(stack)


@needs_compiled
@given(kinds=stacks)
def test_a_local_variable_has_the_value_that_the_frame_says(kinds: Any) -> None:
    """Also one in a cell; and where there is none of a name, the global one."""
    with standing(kinds) as thread_id:
        stack = settled(thread_id, COMPILED)
        names = ["number", "doubled", "held", "go", "each", "self", "KINDS"]
        found = COMPILED.values([(frame, name) for frame in stack for name in names])
        expected = [expected_value(frame, name) for frame in frames_of(thread_id) for name in names]

        assert [id(each) for each in found] == [id(each) for each in expected]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="such variables cannot be read without C")
@needs_compiled
@given(kinds=stacks)
def test_both_readers_find_the_same_values(kinds: Any) -> None:
    """In the same frames, which each of them has seen for itself."""
    names = ["number", "doubled", "held", "go", "each", "self", "KINDS"]
    with standing(kinds) as thread_id:
        values = [
            reader.values([(each, name) for each in settled(thread_id, reader) for name in names])
            for reader in (COMPILED, IN_PYTHON)
        ]

        assert [id(each) for each in values[0]] == [id(each) for each in values[1]]


def expected_value(frame: FrameType, name: str) -> Any:
    """Return what a name means in a frame; those of a class body are not looked for."""
    code = frame.f_code
    if not code.co_flags & inspect.CO_OPTIMIZED and frame.f_locals is not frame.f_globals:
        return None
    if name in code.co_varnames + code.co_cellvars + code.co_freevars:
        return frame.f_locals.get(name)
    return frame.f_globals.get(name)


async def wait_plainly(go: Any) -> None:
    """A coroutine."""
    await go()


async def wait_in_iteration(go: Any) -> None:
    """An asynchronous generator."""

    async def generate() -> AsyncIterator[int]:
        await go()
        yield 1

    async for _ in generate():
        pass


class Awaitable:
    """An object that is waited for by a generator."""

    def __init__(self, go: Any) -> None:
        self._go = go

    def __await__(self) -> Generator[Any, Any, Any]:
        """Wait for the next one."""
        yield from self._go().__await__()


async def wait_for_object(go: Any) -> None:
    """An object with `__await__`."""
    await Awaitable(go)


chains = st.lists(st.sampled_from((wait_plainly, wait_in_iteration, wait_for_object)), max_size=8)


@needs_compiled
@given(kinds=chains)
def test_both_readers_see_the_same_coroutines(kinds: Any) -> None:
    """Outermost first, with what the last of them waits for."""

    async def go_on(at: int, never: asyncio.Future[None]) -> None:
        if at < len(kinds):
            await kinds[at](lambda: go_on(at + 1, never))
        else:
            await never

    async def compare() -> None:
        never = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(go_on(0, never))
        before = [reader.awaiting(task.get_coro(), 300) for reader in (COMPILED, IN_PYTHON)]
        await asyncio.sleep(0)
        (compiled, awaited), (plainly, awaited_plainly) = (
            reader.awaiting(task.get_coro(), 300) for reader in (COMPILED, IN_PYTHON)
        )
        short = COMPILED.awaiting(task.get_coro(), 2)
        never.set_result(None)
        await task

        assert places(before[0][0]) == places(before[1][0])
        assert places(compiled) == places(plainly)
        assert awaited is awaited_plainly is never
        assert places(short[0]) == places(compiled)[:2]
        assert COMPILED.awaiting(task.get_coro(), 300) == ((), None)
        assert IN_PYTHON.awaiting(task.get_coro(), 300) == ((), None)

    asyncio.run(compare())
