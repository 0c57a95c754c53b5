"""Which task an exception ended that had the queue, the event or the future somebody waits for.

A task that is kept somewhere dies in silence: asyncio logs its exception only when the task itself
goes away, which may be never. The frames of its traceback still have what it had. Runs no code of
the application, and does not take note of the exception for it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any, Final

from otel_flight.interpreter.code.origin import is_application
from otel_flight.sources.stacks.culprits import described

_MOST_FRAMES: Final = 20
"""At most this many frames of one traceback are searched, from the outermost one on."""
_MOST_VALUES: Final = 64
"""At most this many values that a frame, or the object of a method, has are looked at."""
_HEAP_TYPE: Final = 1 << 9
"""Types that are made by a `class` statement have this flag."""


def errors_of_dead(tasks: Iterable[asyncio.Task[Any]]) -> list[Exception]:
    """Return the exceptions that ended tasks: of most processes there is none."""
    errors = (getattr(task, "_exception", None) for task in tasks if task.done())
    return [error for error in errors if isinstance(error, Exception)]


def death_with(thing: object, errors: Iterable[Exception]) -> str:
    """Return which exception ended something that had a thing, and where; empty: none is known."""
    for error in errors:
        seen = list(_application_frames(error.__traceback__))
        if any(_has(frame, thing) for frame, _ in seen):
            place = described([(frame.f_code, line) for frame, line in seen])
            return f"{type(error).__name__} in {place}"
    return ""


def _application_frames(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    for _ in range(_MOST_FRAMES):
        if traceback is None:
            break
        if is_application(traceback.tb_frame.f_code.co_filename):
            yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _has(frame: FrameType, thing: object) -> bool:
    """Look into the variables of a frame that has ended, without making a dictionary of them."""
    values = gc.get_referents(frame)[:_MOST_VALUES]
    owners = (each for each in values if type(each).__flags__ & _HEAP_TYPE)
    is_method = frame.f_code.co_varnames[:1] == ("self",)
    return any(each is thing for each in values) or (
        is_method and any(_refers_to(each, thing) for each in owners)
    )


def _refers_to(owner: object, thing: object) -> bool:
    referents = gc.get_referents(owner)
    within = (each.values() if type(each) is dict else (each,) for each in referents)
    return len(referents) <= _MOST_VALUES and any(
        each is thing for values in within for each in list(values)[:_MOST_VALUES]
    )
