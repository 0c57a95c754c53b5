"""How a waiting task got to where it waits: its coroutines, and what the innermost one awaits.

None of them is running, so they have no thread; each knows the next one inwards. The call graph of
Python 3.14 goes the other way, from what is awaited to those that await it, and makes frames.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType
from typing import Any, Final, NamedTuple, TypeVar

from otel_flight.interpreter.frames import MOST_FRAMES, Frame, Stack, awaiting_stack, value_in

_T = TypeVar("_T")

MOST_TASKS: Final = 8
"""At most this many tasks are followed, each waiting for the next."""

_MOST_FOREIGN: Final = 16
"""At most this many objects without frames are passed on the way to one that has frames, and at
most so many attributes of each are looked at."""
_WITH_FRAMES: Final = frozenset({AsyncGeneratorType, CoroutineType, GeneratorType})
_CYTHON: Final = "_cython_"
"""Cython keeps its types in modules that begin so."""
_TASKS_OF_GROUP: Final = (
    ("asyncio/taskgroups.py", "__aexit__", "self"),
    ("anyio/_backends/_asyncio.py", "__aexit__", "self"),
    ("starlette/middleware/base.py", "__call__", "task_group"),
    ("starlette/responses.py", "__call__", "task_group"),
)
_FUNCTIONS_OF_GROUP: Final = frozenset(name for _, name, _ in _TASKS_OF_GROUP)
_TASKS_IN_LOCAL: Final = (
    ("asyncio/tasks.py", "_wait", "fs"),
    ("asyncio/tasks.py", "wait_for", "fut"),
)


class Chain(NamedTuple):
    """Where a task waits.

    Attributes:
        frames: outermost first; of other tasks, too, when it waits for those.
        awaited: what the last of these tasks waits for; None when that is not known.
        tasks: the task itself, and those it waits for one after the other.
        note: about what lies between these tasks: `1 of 3 in gather`.
    """

    frames: Stack
    awaited: object
    tasks: Sequence[object]
    note: str = ""

    @property
    def work(self) -> concurrent.futures.Future[Any] | None:
        """What a thread pool does, or will do, for the task; None when it waits for no pool."""
        futures = _futures_behind(self.awaited)
        found = (next(_referred(each, concurrent.futures.Future), None) for each in futures)
        return next(filter(None, found), None)

    @property
    def future(self) -> asyncio.Future[Any] | None:
        """The future that is waited for, also within `wait_for`; None: it is something else."""
        things = (*_waited_for_in_library(self.frames), self.awaited)
        return next((each for each in things if isinstance(each, asyncio.Future)), None)


def chain_of(task: object) -> Chain:
    """Return where a task, or a coroutine, waits. It must not be running."""
    frames: list[Frame] = []
    tasks = [task]
    note = ""
    while True:
        awaited = _append_frames(tasks[-1], frames)
        inner, how_many = _task_within(awaited, frames)
        if how_many > 1:
            note = f"1 of {how_many} tasks"
        if inner is None or inner in tasks or len(tasks) >= MOST_TASKS:
            return Chain(frames, awaited, tasks, note)
        tasks.append(inner)


def _append_frames(task: object, frames: list[Frame]) -> object:
    """Append the frames of a task or coroutine; return what it waits for."""
    awaited: object = _behind_wrappers(task.get_coro() if isinstance(task, asyncio.Task) else task)
    for _ in range(_MOST_FOREIGN):
        found, awaited = awaiting_stack(awaited)
        frames += found[: MOST_FRAMES - len(frames)]
        inner = _behind_wrappers(awaited)
        if inner is awaited:
            break
        awaited = inner
    waited_for: object = getattr(task, "_fut_waiter", None)
    return waited_for if waited_for is not None else awaited


def _behind_wrappers(awaited: object) -> object:
    """Return what has frames behind what has none: coroutines of Cython, and objects around one."""
    for _ in range(_MOST_FOREIGN):
        kind = type(awaited)
        if kind in _WITH_FRAMES or isinstance(awaited, asyncio.Future):
            break
        if kind.__name__ == "coroutine" and str(kind.__module__).startswith(_CYTHON):
            awaited = getattr(awaited, "cr_await", None)
        elif (inner := _wrapped_by(awaited)) is not None:
            awaited = inner
        else:
            break
    return awaited


def _wrapped_by(awaited: object) -> object:
    """Return the coroutine that an object is around, as monitoring agents put them; else None."""
    for referent in gc.get_referents(awaited):
        for each in (referent, *_first_values(referent)):
            if _goes_on_by_steps(type(each)):
                return each
    return None


def _goes_on_by_steps(kind: type) -> bool:
    """Return whether objects of a type are coroutines, generators, or what passes for one."""
    return any("throw" in vars(each) for each in kind.__mro__)


def _first_values(referent: object) -> Sequence[object]:
    """Return attributes, if this is the dict of an object that has one."""
    return tuple(islice(referent.values(), _MOST_FOREIGN)) if type(referent) is dict else ()


def _task_within(awaited: object, frames: Stack) -> tuple[asyncio.Task[Any] | None, int]:
    """Return a task that a task waits for, and how many of them are not done."""
    if isinstance(awaited, asyncio.Task):
        return awaited, 1
    if not isinstance(awaited, asyncio.Future):
        return None, 0
    children = getattr(awaited, "_children", None)  # of `gather`
    if type(children) is not list:
        children = list(_waited_for_in_library(frames))
    pending = [each for each in children if isinstance(each, asyncio.Task) and not each.done()]
    if pending:
        return pending[0], len(pending)
    return next(_referred(awaited, asyncio.Task), None), 1


def _waited_for_in_library(frames: Stack) -> Iterator[object]:
    """Yield what the innermost frames of a library wait for: the tasks of a group, of `wait`."""
    for frame in frames[-1:-4:-1]:
        file, function = frame.code.co_filename, frame.code.co_name
        for ending, name, variable in _TASKS_IN_LOCAL:
            if name == function and file.endswith(ending):
                found = value_in(frame, variable)
                yield from list(found) if isinstance(found, (set, frozenset, list)) else [found]
    for frame in reversed(frames):
        function = frame.code.co_name
        if function not in _FUNCTIONS_OF_GROUP:  # as good as all of them
            continue
        file = frame.code.co_filename
        for ending, name, variable in _TASKS_OF_GROUP:
            if name == function and file.endswith(ending):
                tasks = getattr(value_in(frame, variable), "_tasks", None)
                yield from list(tasks) if isinstance(tasks, (set, list)) else []
                return


def _futures_behind(awaited: object) -> Iterator[asyncio.Future[Any]]:
    """Yield a future, and those that it is the outside of, as `shield` and `gather` make them."""
    if isinstance(awaited, asyncio.Future):
        yield awaited
        children = getattr(awaited, "_children", None)
        within = children if type(children) is list else _referred(awaited, asyncio.Future)
        yield from (each for each in within if isinstance(each, asyncio.Future) and not each.done())


def _referred(future: asyncio.Future[Any], kind: type[_T]) -> Iterator[_T]:
    """Yield what a future's callbacks are about, as `wrap_future` and `shield` make them.

    Not whoever waits for it: from Python 3.14 on, the callbacks of `shield` know that task, too.
    """
    callbacks: Any = getattr(future, "_callbacks", None)
    found = values_within((callback for callback, *_ in callbacks or ()), kind)
    return (each for each in found if getattr(each, "_fut_waiter", None) is not future)


def values_within(callbacks: Iterable[object], kind: type[_T]) -> Iterator[_T]:
    """Yield what functions have from the functions around them, of one kind."""
    for callback in callbacks:
        if not isinstance(callback, FunctionType) or not callback.__closure__:
            continue
        for cell in callback.__closure__:
            try:
                value = cell.cell_contents
            except ValueError:  # an empty cell
                continue
            if isinstance(value, kind):
                yield value
