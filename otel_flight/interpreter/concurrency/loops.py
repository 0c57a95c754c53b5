"""Find the event loops that run in this process, without a hook in asyncio."""

from __future__ import annotations

import asyncio
from asyncio import runners
from asyncio.base_events import BaseEventLoop
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType
from typing import Any, Final

from otel_flight.interpreter.frames import Frame, Stack, value_in, values_in

Found = tuple[asyncio.AbstractEventLoop, int]
"""What is found is a loop, and the id of the thread that runs it."""

_RUN_FOREVER: Final = BaseEventLoop.run_forever.__code__
_RUN_ONCE: Final = BaseEventLoop.__dict__["_run_once"].__code__
_RUN: Final = runners.run.__code__
_RUNNER_RUN: Final[CodeType | None] = getattr(
    getattr(getattr(runners, "Runner", None), "run", None), "__code__", None
)
_LOOP_IN: Final = {
    id(_RUN_FOREVER): ("self",),
    id(_RUNNER_RUN): ("self", "_loop"),
    id(_RUN): ("loop",),
}
"""A loop is in this local variable of a function, or in an attribute of that. The functions are
known by the ids of their codes: to compare codes, the interpreter hashes all that is in them."""
_LOOP_FUNCTIONS: Final = frozenset({id(_RUN_FOREVER), id(_RUN_ONCE)})
_OUTSIDE_STEPS: Final = _LOOP_FUNCTIONS | {id(_RUN), id(_RUNNER_RUN)}


_TASK_IN: Final = {
    id(BaseEventLoop.run_until_complete.__code__): "future",
    id(_RUNNER_RUN): "task",
}
"""The task that a loop is run for is in this local variable."""


def runs_loop(frame: Frame) -> bool:
    """Return whether a frame is one of asyncio's own loop: in nothing deeper, that runs nothing."""
    return id(frame.code) in _LOOP_FUNCTIONS


def is_outside_steps(frame: Frame) -> bool:
    """Return whether a loop's tasks and callbacks run below this frame, which is of asyncio."""
    return id(frame.code) in _OUTSIDE_STEPS


def keeps_real_time(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a loop goes by the system's clock.

    One with a clock of its own, as tests simulate time, advances it by the timers that it has: one
    of ours would change what the program does.
    """
    is_replaced = "time" in getattr(loop, "__dict__", ())
    is_overridden = isinstance(loop, BaseEventLoop) and type(loop).time is not BaseEventLoop.time
    return not is_replaced and not is_overridden


def task_run_in(stack: Stack) -> tuple[asyncio.Task[Any] | None, Stack]:
    """Return the task that a thread runs a loop for, as by `asyncio.run`, and who runs it."""
    for at, frame in enumerate(stack):
        if id(frame.code) in _TASK_IN:
            task = value_in(frame, _TASK_IN[id(frame.code)])
            if isinstance(task, asyncio.Task):
                return task, stack[:at]
    return None, ()


def loops_of_tasks(tasks: Iterable[tuple[asyncio.Task[Any] | None, int]]) -> Iterator[Found]:
    """Yield the loops that run tasks which are not done: each a task, and its thread."""
    for task, thread_id in tasks:
        if task is not None and not task.done():
            yield task.get_loop(), thread_id


def loops_of_stacks(stacks: Mapping[int, Stack]) -> Iterator[Found]:
    """Yield the loops that threads are running, as far as their stacks tell.

    uvloop's own functions have no frames; `asyncio.run` and `uvloop.run` around them do.
    """
    seen = [
        (thread_id, frame, _LOOP_IN[id(frame.code)])
        for thread_id, stack in stacks.items()
        for frame in stack
        if id(frame.code) in _LOOP_IN
    ]
    values = values_in((frame, path[0]) for _, frame, path in seen)
    found = set()
    for (thread_id, _, path), value in zip(seen, values, strict=True):
        loop = value if len(path) == 1 else getattr(value, path[1], None)
        if thread_id not in found and isinstance(loop, asyncio.AbstractEventLoop):
            found.add(thread_id)
            yield loop, thread_id
