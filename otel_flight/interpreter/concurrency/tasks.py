"""The tasks of asyncio: which one runs, and in which context, without asking the task's own thread.

`asyncio.current_task()` raises where no loop runs, which costs a microsecond in every thread of a
server without one, at each local root that starts.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final
from weakref import ref

from otel_flight.interpreter.concurrency.greenlets import (
    GreenletReference,
    current_greenlet_reference,
)
from otel_flight.interpreter.frames import count_native_tasks

_current_tasks: Final[Any] = (
    getattr(asyncio.tasks, "_current_tasks", None) if sys.version_info < (3, 14) else None
)
"""asyncio keeps here which task each loop runs, up to Python 3.13; from then on each thread keeps
its own, and `asyncio.current_task(loop)` tells it to every thread."""
_task_of_loop: Final[Callable[[asyncio.AbstractEventLoop], asyncio.Task[Any] | None]] = (
    _current_tasks.get if type(_current_tasks) is dict else asyncio.current_task
)
_TASK_SETS: Final = ("_all_tasks", "_scheduled_tasks", "_eager_tasks")
"""asyncio keeps its tasks in these: the first up to Python 3.11, the others from then on. From 3.14
on only tasks of other kinds than its own are in them."""

running_loop: Final = asyncio._get_running_loop
"""This returns the loop that runs on the calling thread, None when there is none: in 0.1 µs."""


def current_task() -> asyncio.Task[Any] | None:
    """Return the task that runs on this thread just now, None when there is none."""
    loop = running_loop()
    return None if loop is None else running_task(loop)


def running_task(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any] | None:
    """Return the task that a loop is running just now, in any thread; None when it runs none."""
    return _task_of_loop(loop)


def current_task_reference() -> ref[asyncio.Task[Any]] | GreenletReference | None:
    """Return a weak reference to the task or greenlet that runs on this thread; None without."""
    loop = running_loop()
    task = None if loop is None else _task_of_loop(loop)
    if task is None:
        return current_greenlet_reference()
    try:
        return ref(task)
    except TypeError:  # a library's own kind of task
        return None


def count_tasks() -> int:
    """Return how many asyncio tasks exist, by the sizes of asyncio's own sets of them.

    `asyncio.all_tasks()` copies the set, which takes milliseconds with 10 000 tasks. From Python
    3.14 on, only C can count those of its own kind.
    """
    return count_native_tasks() + sum(len(getattr(asyncio.tasks, name, ())) for name in _TASK_SETS)


def few_tasks(most: int) -> list[asyncio.Task[Any]]:
    """Return all asyncio tasks there are; none where there are more than `most`.

    Nor those of asyncio's own kind from Python 3.14 on, which it keeps where nobody sees them.
    """
    sets = (getattr(asyncio.tasks, name, None) for name in _TASK_SETS)
    kept = [getattr(each, "data", each) for each in sets if each is not None]
    if sum(map(len, kept)) > most:
        return []
    try:
        members = [member for each in kept for member in each.copy()]
    except RuntimeError:  # one more began, or ended, just then
        return []
    tasks = (member() if isinstance(member, ref) else member for member in members)
    return [task for task in tasks if isinstance(task, asyncio.Task)]


def context_of(task: asyncio.Task[Any]) -> Context | None:
    """Return the context that a task runs in."""
    get_context = getattr(task, "get_context", None)  # from Python 3.12 on
    if get_context is not None:
        context: Context = get_context()
        return context
    # The task refers to its context first; contexts of its callbacks may follow.
    return next((each for each in gc.get_referents(task) if type(each) is Context), None)
