"""Who holds a lock: the thread or task with a frame that has acquired the very same object.

Most locks do not know their owner. That a frame is inside `with self._lock:`, or between
`self._lock.acquire()` and its `release()`, can be told from where it stands. Who acquired it in a
function that has returned cannot be told, nor who has one of several places in a semaphore.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Iterator
from types import MemberDescriptorType
from typing import Final

from otel_flight.interpreter.code.opcodes import UNNAMED, Path, blocks_around
from otel_flight.interpreter.frames import Frame, Stack, value_in, values_in
from otel_flight.sources.locks.acquisitions import (
    ACQUIRE,
    RELEASE,
    acquired_at,
    named_owners,
)

MOST_FRAMES: Final = 60
"""At most this many frames of one stack are searched, from the innermost one on."""
_NOTHING: Final = object()
_REENTRANT: Final = type(threading.RLock())
_OWNER: Final = re.compile(r" owner=(\d+) ")


def value_of(frame: Frame, path: Path) -> object:
    """Return what a path means in a frame, None when that cannot be told without side effects.

    Runs no code of the application: no property, no `__getattr__`.
    """
    return _follow(value_in(frame, path[0]), path) if path and UNNAMED not in path else None


def owner_of(lock: object) -> int:
    """Return the thread that holds a lock which knows it, an `RLock`; 0 when it does not."""
    if type(lock) is threading.Condition:
        lock = lock.__dict__.get("_lock")
    if type(lock) is not _REENTRANT:
        return 0
    found = _OWNER.search(repr(lock))
    return int(found[1]) if found is not None else 0


def frame_holding(lock: object, stack: Stack, *, is_owner: bool = False) -> Frame | None:
    """Return the frame of a stack that has acquired a lock, None when none has for certain.

    Args:
        lock: what is waited for.
        stack: outermost first; not the one that waits.
        is_owner: the lock itself says that this thread holds it: then any frame has acquired it
            that uses its `acquire`.
    """
    searched = stack[: -MOST_FRAMES - 1 : -1]
    uses = [use for frame in searched for use in _uses_in(frame, is_owner=is_owner)]
    values = values_in((frame, path[0]) for frame, path, _ in uses)
    for (frame, path, is_held), value in zip(uses, values, strict=True):
        if _follow(value, path) is lock:
            return frame if is_held else None
    return None


def _uses_in(frame: Frame, *, is_owner: bool) -> Iterator[tuple[Frame, Path, bool]]:
    """Yield what a frame names of locks, and whether it has acquired that for certain."""
    code, offset = frame.code, frame.offset
    if code.co_name == "wait":
        yield frame, ("self",), False  # a condition is let go of while it is waited for
    held = [*blocks_around(code, offset), *acquired_at(code, offset)]
    if is_owner:
        held += named_owners(code, ACQUIRE)
    # It may have let go, for a while, of what a function around it acquired.
    released = named_owners(code, RELEASE) if not is_owner else ()
    for is_held, paths in ((True, held), (False, released)):
        for path in paths:
            if UNNAMED not in path:
                yield frame, path, is_held


def _follow(value: object, path: Path) -> object:
    """Return the attribute at the end of a path, given the value of its first name."""
    for name in path[1:]:
        value = attribute_of(value, name)
    return value


def attribute_of(owner: object, name: str, otherwise: object = None) -> object:
    """Return an attribute, if that can be told without running code of the application."""
    if owner is None:
        return otherwise
    found = inspect.getattr_static(owner, name, _NOTHING)
    if type(found) is MemberDescriptorType:  # of `__slots__`
        return _in_slot(found, owner, otherwise)
    return otherwise if found is _NOTHING or hasattr(type(found), "__get__") else found


def _in_slot(slot: MemberDescriptorType, owner: object, otherwise: object) -> object:
    try:
        return slot.__get__(owner, type(owner)) if not isinstance(owner, type) else otherwise
    except AttributeError:  # nothing is in it yet
        return otherwise
