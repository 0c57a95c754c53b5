"""What a blocked event loop is doing, at one moment and over several."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from otel_flight.interpreter.code.places import Place
from otel_flight.interpreter.concurrency.loops import is_outside_steps, runs_loop
from otel_flight.interpreter.concurrency.tasks import context_of, running_task
from otel_flight.interpreter.current_ids import ids_in
from otel_flight.interpreter.frames import Stack, current_stack, places_in, values_in
from otel_flight.sources.stacks.waits import call_of_thread

_HANDLE_RUN: Final = asyncio.Handle.__dict__["_run"].__code__
_TURN: Final = ("end_time", "i")
"""These local variables of the loop together have other values for each callback that it runs."""
_IS_BLOCKED_SHARE: Final = 0.75
"""A task or callback blocks the loop when at least this share of the samples is in it."""


class LoopSample(NamedTuple):
    """One look at a loop's thread.

    Attributes:
        step: the task or callback it was in, as a number that another one does not have while this
            one runs; 0: in none, so it waited for a CPU or for the GIL.
        places: the whole stack, outermost first.
        trace_id: of the span that is current in the task; 0: none, or not known.
        span_id: as well.
        call: the native function that the innermost function is in.
    """

    step: int
    places: Sequence[Place] = ()
    trace_id: int = 0
    span_id: int = 0
    call: str = ""


def sample_loop(loop: asyncio.AbstractEventLoop, thread_id: int) -> LoopSample | None:
    """Look at a loop's thread once; None when there is no such thread."""
    task = running_task(loop)
    stack = current_stack(thread_id)
    if not stack or running_task(loop) is not task:
        return None
    step = id(task) if task is not None else _callback_in(stack)
    if not step:
        return LoopSample(0)
    ids = ids_in(context_of(task)) if task is not None else (0, 0)
    return LoopSample(step, places_in(stack), *ids, call_of_thread(stack))


def is_blocked(samples: Sequence[LoopSample]) -> bool:
    """Return whether one and the same task or callback was seen nearly all the time."""
    if len(samples) < 2:
        return False
    (step, count), *_ = Counter(sample.step for sample in samples).most_common(1)
    return bool(step) and count >= _IS_BLOCKED_SHARE * len(samples)


def middle_of(samples: Sequence[LoopSample]) -> LoopSample:
    """Return the sample to show: of the most common task or callback, the middle one."""
    (step, _), *_ = Counter(sample.step for sample in samples).most_common(1)
    same = [sample for sample in samples if sample.step == step]
    return same[len(same) // 2]


def call_of(samples: Sequence[LoopSample]) -> str:
    """Return the native function that a loop was in nearly all the time, or nothing."""
    (call, count), *_ = Counter(sample.call for sample in samples).most_common(1)
    return call if count >= _IS_BLOCKED_SHARE * len(samples) else ""


def _callback_in(stack: Stack) -> int:
    """Return a number for what a loop runs that is not a task; 0 when it runs nothing.

    Below uvloop's own functions, which have no frames, that can be told if `run` started it.
    """
    for at in range(len(stack) - 1, -1, -1):
        if stack[at].code is _HANDLE_RUN:
            # The frame of the next callback may be in the same place.
            turn = values_in((stack[at - 1], name) for name in _TURN) if at else ()
            return hash((stack[at].key, *turn)) or 1
        if is_outside_steps(stack[at]):
            is_run = not runs_loop(stack[at]) and at + 1 < len(stack)
            return stack[at + 1].key if is_run else 0
    return 0
