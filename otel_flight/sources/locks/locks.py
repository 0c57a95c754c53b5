"""Who holds a lock: the thread or task with a frame that has acquired the very same object.

Most locks do not know their owner. That a frame is inside `with self._lock:`, or between
`self._lock.acquire()` and its `release()`, can be told from where it stands. Who acquired it in a
function that has returned cannot be told, nor who has one of several places in a semaphore.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Sequence
from types import FrameType, MemberDescriptorType
from typing import Final

from otel_flight.interpreter.frames import local_of
from otel_flight.interpreter.opcodes import UNNAMED, Path, blocks_around
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


def value_of(frame: FrameType, path: Path) -> object:
    """Return what a path means in a frame, None when that cannot be told without side effects.

    Runs no code of the application: no property, no `__getattr__`.
    """
    if not path or UNNAMED in path:
        return None
    found = local_of(frame, path[0])
    if found is None:
        found = frame.f_globals.get(path[0])
    for name in path[1:]:
        found = attribute_of(found, name)
    return found


def owner_of(lock: object) -> int:
    """Return the thread that holds a lock which knows it, an `RLock`; 0 when it does not."""
    if type(lock) is threading.Condition:
        lock = lock.__dict__.get("_lock")
    if type(lock) is not _REENTRANT:
        return 0
    found = _OWNER.search(repr(lock))
    return int(found[1]) if found is not None else 0


def frame_holding(
    lock: object, stack: Sequence[FrameType], *, is_owner: bool = False
) -> FrameType | None:
    """Return the frame of a stack that has acquired a lock, None when none has for certain.

    Args:
        lock: what is waited for.
        stack: outermost first; not the one that waits.
        is_owner: the lock itself says that this thread holds it: then any frame has acquired it
            that uses its `acquire`.
    """
    for frame in stack[: -MOST_FRAMES - 1 : -1]:
        code = frame.f_code
        if code.co_name == "wait" and local_of(frame, "self") is lock:
            return None  # a condition is let go of while it is waited for
        held = [*blocks_around(code, frame.f_lasti), *acquired_at(code, frame.f_lasti)]
        if is_owner:
            held += named_owners(code, ACQUIRE)
        if any(value_of(frame, path) is lock for path in held):
            return frame
        released = named_owners(code, RELEASE) if not is_owner else ()
        if any(value_of(frame, path) is lock for path in released):
            return None  # it may have let go, for a while, of what a function around it acquired
    return None


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
