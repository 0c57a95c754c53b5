"""The tasks of asyncio: which one runs, and in which context, without asking the task's own thread.

`asyncio.current_task()` raises where no loop runs, which costs a microsecond in every thread of a
server without one, at each local root that starts.
"""

from __future__ import annotations

import asyncio
import gc
from contextvars import Context
from typing import Any, Final
from weakref import ref

_current_tasks: Final[Any] = getattr(asyncio.tasks, "_current_tasks", None)
"""asyncio keeps here which task each loop runs; newer interpreters have a native function instead,
and this is None, or no dict."""

running_loop: Final = asyncio._get_running_loop
"""This returns the loop that runs on the calling thread, None when there is none: in 0.1 µs."""


def current_task() -> asyncio.Task[Any] | None:
    """Return the task that runs on this thread just now, None when there is none."""
    loop = running_loop()
    if loop is None:
        return None
    if type(_current_tasks) is dict:
        task: asyncio.Task[Any] | None = _current_tasks.get(loop)
        return task
    return asyncio.current_task(loop)


def current_task_reference() -> ref[asyncio.Task[Any]] | None:
    """Return a weak reference to the task that runs on this thread just now; None without one."""
    task = current_task()
    if task is None:
        return None
    try:
        return ref(task)
    except TypeError:  # a library's own kind of task
        return None


def running_task(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any] | None:
    """Return the task that a loop is running just now, None when it runs none or cannot tell."""
    if type(_current_tasks) is not dict:
        return None
    task: asyncio.Task[Any] | None = _current_tasks.get(loop)
    return task


def context_of(task: asyncio.Task[Any]) -> Context | None:
    """Return the context that a task runs in."""
    get_context = getattr(task, "get_context", None)  # from Python 3.12 on
    if get_context is not None:
        context: Context = get_context()
        return context
    # The task refers to its context first; contexts of its callbacks may follow.
    return next((each for each in gc.get_referents(task) if type(each) is Context), None)
