"""The time limits that tasks work under which others have set, further out: `asyncio.timeout()`.

While a block has a limit, the frame that it is in refers to it. Nothing of the application runs.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import CodeType, CoroutineType, GeneratorType, MethodType
from typing import Any, Final, NamedTuple

from otel_flight.ground.clock import monotonic_ns
from otel_flight.interpreter.code.origin import is_application
from otel_flight.interpreter.frames import MOST_FRAMES, Frame, Stack

_SETTERS: Final = frozenset({"timeout", "timeout_at", "fail_after", "move_on_after", "CancelScope"})
"""A function that sets a limit for what it awaits calls one of these, or a method so named."""
_WAIT_FOR: Final = "wait_for"
"""In this function of asyncio it is a timer, up to Python 3.11."""
_DEADLINES: Final = {
    ("asyncio.timeouts", "Timeout"): "when",
    ("asyncio.events", "TimerHandle"): "when",
    ("uvloop.loop", "TimerHandle"): "when",
    ("async_timeout", "Timeout"): "_deadline",
    ("anyio._backends._asyncio", "CancelScope"): "_deadline",
}
"""An object of one of these classes tells by that attribute, or method, when its time is over, in
seconds of the monotonic clock."""
_GENERATOR_LIMIT: Final = ("contextlib", "_GeneratorContextManager")
_IS_FRAME_APART: Final[bool] = sys.version_info < (3, 11)
"""It tells whether what is running refers to a frame, and not itself to what is in there."""
_LONGEST_SECONDS: Final = 86_400.0
"""A limit that is further away than so many seconds is none, or goes by another clock."""


class TimeLimit(NamedTuple):
    """A limit.

    Attributes:
        frame: the application's function that set it, or had it set.
        left_ns: how long there is until it is over; below 0: it is.
    """

    frame: Frame
    left_ns: int


def nearest_limit(tasks: Sequence[object], frames: Stack) -> TimeLimit | None:
    """Return the limit that ends first of those that waiting tasks are under; None: there is none.

    Takes 0.1 µs a frame, and 1 µs where one of them may have set a limit.

    Args:
        tasks: each waits for the next.
        frames: of all of them, the outermost first.
    """
    if not _may_be_set_in(frames):
        return None
    found: list[TimeLimit] = []
    now_seconds, at, own = monotonic_ns() / 1e9, 0, None
    for coroutine in _coroutines(tasks):
        code = coroutine.cr_code
        at = next((n for n in range(at, len(frames)) if frames[n].code is code), at)
        if frames[at].code is not code:
            continue
        own = frames[at] if own is None or is_application(code.co_filename) else own
        left = (seconds - now_seconds for seconds in _deadlines(coroutine, code))
        near = (seconds for seconds in left if abs(seconds) <= _LONGEST_SECONDS)
        found += [TimeLimit(own, int(seconds * 1e9)) for seconds in near]
    return min(found, key=lambda each: each.left_ns, default=None)


def _may_be_set_in(frames: Stack) -> bool:
    """Return whether a function may have set a limit: in most stacks there is none."""
    is_none_in = _SETTERS.isdisjoint
    return any(
        not is_none_in(frame.code.co_names) or frame.code.co_name == _WAIT_FOR for frame in frames
    )


def _coroutines(tasks: Sequence[object]) -> Iterator[CoroutineType[Any, Any, Any]]:
    for task in tasks:
        awaited = getattr(task, "get_coro", lambda task=task: task)()
        for _ in range(MOST_FRAMES):
            if type(awaited) is not CoroutineType:
                break
            yield awaited
            awaited = awaited.cr_await


def _deadlines(coroutine: CoroutineType[Any, Any, Any], code: CodeType) -> Iterator[float]:
    if not _SETTERS.isdisjoint(code.co_names) or code.co_name == _WAIT_FOR:
        for thing in _held_by(coroutine):
            holder = thing.__self__ if type(thing) is MethodType else thing
            yield from filter(None, map(_deadline, (holder, *_in_generator(holder))))


def _held_by(work: Any) -> Iterable[object]:
    """Return what the frame of a coroutine or a generator refers to that does not run."""
    if _IS_FRAME_APART:
        return gc.get_referents(work.cr_frame if type(work) is CoroutineType else work.gi_frame)
    return gc.get_referents(work)


def _in_generator(holder: object) -> Iterable[object]:
    kind = type(holder)
    generator = getattr(holder, "gen", None) if _name_of(kind) == _GENERATOR_LIMIT else None
    return _held_by(generator) if type(generator) is GeneratorType else ()


def _deadline(thing: object) -> float | None:
    name = _DEADLINES.get(_name_of(type(thing)))
    found = getattr(thing, name, None) if name is not None else None
    found = found() if callable(found) else found
    return found if type(found) is float else None


def _name_of(kind: type) -> tuple[str, str]:
    return kind.__module__, kind.__name__
