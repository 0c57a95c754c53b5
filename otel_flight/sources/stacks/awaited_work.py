"""Where the work is done that a thread waits for: a future's on a pool, a thread's that is to end.

Runs no code of the application, and takes no lock.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import islice
from types import CoroutineType
from typing import Any, Final

from otel_flight.interpreter.code.origin import is_application, is_standard
from otel_flight.interpreter.concurrency.await_chain import values_within
from otel_flight.interpreter.frames import Stack, value_in
from otel_flight.interpreter.threads import ident_of
from otel_flight.sources.stacks.waits import Wait

MOST_FUTURES: Final = 64
"""At most this many futures of a set that is waited for are looked at."""
_MOST_BELOW: Final = 8
"""A function of asgiref is looked for among at most this many frames, the innermost ones."""


def futures_awaited(wait: Wait) -> Sequence[Future[Any]]:
    """Return the futures that a thread waits for, in its `result()`, `wait()` or `as_completed`."""
    awaited = wait.object
    many = islice(list(awaited), MOST_FUTURES) if type(awaited) is set else (awaited,)
    return [each for each in many if isinstance(each, Future)]


def task_behind(future: Future[Any]) -> asyncio.Task[Any] | None:
    """Return the task whose result a future takes over, as `run_coroutine_threadsafe` makes it."""
    callbacks = getattr(future, "_done_callbacks", ())
    return next(values_within(callbacks, asyncio.Task), None)


def coroutine_awaited(stack: Stack) -> CoroutineType[Any, Any, Any] | None:
    """Return the coroutine that a thread lets a loop run, as Django does with its views."""
    for frame in stack[: -_MOST_BELOW - 1 : -1]:
        file = frame.code.co_filename.replace("\\", "/")
        if frame.code.co_name == "__call__" and file.endswith("asgiref/sync.py"):
            found = value_in(frame, "awaitable")
            return found if type(found) is CoroutineType else None
    return None


def thread_awaited(wait: Wait) -> int:
    """Return the id of the thread that is waited for in its `join()`; 0: none is."""
    return ident_of(wait.object) if isinstance(wait.object, threading.Thread) else 0


def up_to_application(stack: Stack) -> Stack:
    """Return a stack without the functions of libraries in which the application waits."""
    for at in range(len(stack), 0, -1):
        if is_application(stack[at - 1].code.co_filename):
            return stack[:at]
    return stack


def from_work_on(stack: Stack) -> Stack:
    """Return a thread's stack without what only begins its work; empty: it has none."""
    for at, frame in enumerate(stack):
        if not is_standard(frame.code.co_filename):
            return stack[at:]
    return ()
