"""What frames that stand still are in the middle of, read off their instructions."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Generator
from types import FrameType, GeneratorType
from typing import Any

import pytest

from otel_flight.interpreter.code.opcodes import CALL, ENTER, Step, blocks_around, step_at


class Probe:
    """Stands where a lock, or a native function, would."""

    def __init__(self) -> None:
        self.steps: list[Step | None] = []

    def look(self, frame: FrameType) -> None:
        """Note what a frame is doing."""
        self.steps.append(step_at(frame.f_code, frame.f_lasti))

    def acquire(self, *arguments: Any, **named: Any) -> None:
        """Be called."""
        self.look(caller())

    def __enter__(self) -> None:
        self.look(caller())

    def __exit__(self, *exception: object) -> None:
        pass


def caller() -> FrameType:
    """Return the frame that called the function that calls this."""
    return sys._getframe(2)


class Holder:
    """Has a probe as an attribute."""

    def __init__(self) -> None:
        self.lock = Probe()

    def get(self) -> Probe:
        """Return it."""
        return self.lock


def call(holder: Holder) -> None:
    """Call a method of an attribute."""
    holder.lock.acquire()


def call_with_arguments(holder: Holder) -> None:
    """Call with arguments that are calls themselves."""
    holder.lock.acquire(len(str(holder)), timeout=max(1, 2))


def call_with_unpacking(holder: Holder) -> None:
    """Call with arguments that are only known at run time."""
    arguments: tuple[int, ...] = (1,)
    named: dict[str, int] = {}
    holder.lock.acquire(*arguments, **named)


def call_a_variable(holder: Holder) -> None:
    """Call what is in a variable."""
    take = holder.lock.acquire
    take()


def call_what_a_call_returned(holder: Holder) -> None:
    """Call a method of something without a name."""
    holder.get().acquire()


def enter(holder: Holder) -> None:
    """Enter an attribute."""
    with holder.lock:
        pass


def enter_what_a_call_returned(holder: Holder) -> None:
    """Enter something without a name."""
    with holder.get():
        pass


def choose(holder: Any) -> None:
    """Call with an argument that is one of two: which instructions ran is not known."""
    holder.lock.acquire(1 if holder else 2)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (call, Step(CALL, ("holder", "lock", "acquire"))),
        (call_with_arguments, Step(CALL, ("holder", "lock", "acquire"))),
        (call_with_unpacking, Step(CALL, ("holder", "lock", "acquire"))),
        (call_a_variable, Step(CALL, ("take",))),
        (call_what_a_call_returned, Step(CALL, ("holder", "get"))),
        (enter, Step(ENTER, ("holder", "lock"))),
        (enter_what_a_call_returned, Step(ENTER, ("holder", "get", "…"))),
        (choose, None),
    ],
)
def test_what_an_instruction_calls_or_enters(
    function: Callable[[Holder], None], expected: Step | None
) -> None:
    """It has the name that the program gives it, as far as it has one."""
    holder = Holder()

    function(holder)

    assert holder.lock.steps == [expected]


def blocks(first: Any, other: Any) -> Generator[str, None, None]:
    """Be inside of some blocks, and outside of others."""
    yield ""
    with first.lock:
        yield "first.lock"
        with other as name, first.second:
            yield "first.lock other first.second"
            if name:
                return
            yield "first.lock other first.second"
        yield "first.lock"
        try:
            yield "first.lock"
            raise ValueError
        except ValueError:
            with other:
                yield "first.lock other"
        finally:
            yield "first.lock"
    yield ""
    with contextlib.nullcontext(other):
        yield "contextlib.nullcontext.…"
    with first.lock:
        pass
    yield ""


def test_blocks_around_an_instruction() -> None:
    """The blocks that it is really in, outermost first, however control came there."""

    class Two:
        lock = threading.Lock()
        second = threading.Lock()

    running = blocks(Two, contextlib.nullcontext())
    assert isinstance(running, GeneratorType)
    seen = []
    for expected in running:
        frame = running.gi_frame
        assert frame is not None
        found = blocks_around(frame.f_code, frame.f_lasti)
        seen.append((expected, " ".join(".".join(path) for path in found)))

    assert len(seen) == 11
    assert [found for _, found in seen] == [expected for expected, _ in seen]


class Once:
    """Is awaited once."""

    def __await__(self) -> Generator[None, None, None]:
        yield None


class AsyncLock:
    """A lock for coroutines, that is awaited when it is entered."""

    async def __aenter__(self) -> None:
        await Once()

    async def __aexit__(self, *exception: object) -> None:
        pass


async def async_blocks(first: Any, other: AsyncLock) -> None:
    """Be inside of some blocks that are entered by awaiting."""
    async with first.lock:
        await Once()
        async with other, first.lock:
            await Once()
        await Once()
    await Once()


def test_blocks_that_are_entered_by_awaiting() -> None:
    """Whoever still awaits the entry is outside, and stands at it."""

    class Holds:
        lock = AsyncLock()

    running: Any = async_blocks(Holds, AsyncLock())
    seen = []
    for _ in range(8):
        try:
            running.send(None)
        except StopIteration:
            break
        frame = running.cr_frame
        found = [".".join(path) for path in blocks_around(frame.f_code, frame.f_lasti)]
        step = step_at(frame.f_code, frame.f_lasti)
        seen.append((found, ".".join(step.path) if step else None))

    assert seen == [
        ([], "first.lock"),
        (["first.lock"], "Once"),
        (["first.lock"], "other"),
        (["first.lock", "other"], "first.lock"),
        (["first.lock", "other", "first.lock"], "Once"),
        (["first.lock"], "Once"),
        ([], "Once"),
    ]
