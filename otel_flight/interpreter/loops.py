"""Find the event loops that run in this process, without a hook in asyncio."""

from __future__ import annotations

import asyncio
from asyncio import runners
from asyncio.base_events import BaseEventLoop
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any, Final

from otel_flight.interpreter.frames import local_of, stack_of

Found = tuple[asyncio.AbstractEventLoop, int]
"""What is found is a loop, and the id of the thread that runs it."""

_RUN_FOREVER: Final = BaseEventLoop.run_forever.__code__
_RUN_ONCE: Final = BaseEventLoop.__dict__["_run_once"].__code__
_RUN: Final = runners.run.__code__
_RUNNER_RUN: Final[CodeType | None] = getattr(
    getattr(getattr(runners, "Runner", None), "run", None), "__code__", None
)
LOOP_FUNCTIONS: Final = frozenset({_RUN_FOREVER, _RUN_ONCE})
"""A thread in one of these functions, and in nothing deeper, runs asyncio's own loop."""
OUTSIDE_STEPS: Final = frozenset({*LOOP_FUNCTIONS, _RUN, _RUNNER_RUN})
"""A loop's tasks and callbacks run below one of these functions of asyncio."""


def loops_of_roots(roots: Iterable[tuple[Any, int, asyncio.Task[Any] | None]]) -> Iterator[Found]:
    """Yield the loops that serve local roots: each a span, its thread, and its task."""
    for _, thread_id, task in roots:
        if task is not None and not task.done():
            yield task.get_loop(), thread_id


def loops_of_frames(frames: Mapping[int, FrameType]) -> Iterator[Found]:
    """Yield the loops that threads are running, as far as their frames tell.

    uvloop's own functions have no frames; `asyncio.run` and `uvloop.run` around them do.
    """
    for thread_id, innermost in frames.items():
        for frame in stack_of(innermost):
            loop = _loop_in(frame)
            if loop is not None:
                yield loop, thread_id
                break


def _loop_in(frame: FrameType) -> asyncio.AbstractEventLoop | None:
    found: Any = None
    if frame.f_code is _RUN_FOREVER:
        found = local_of(frame, "self")
    elif frame.f_code is _RUNNER_RUN:
        found = getattr(local_of(frame, "self"), "_loop", None)
    elif frame.f_code is _RUN:
        found = local_of(frame, "loop")
    return found if isinstance(found, asyncio.AbstractEventLoop) else None
