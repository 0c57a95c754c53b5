"""Who holds a lock: the thread or task that is inside a `with` block of the very same object.

Locks do not know their owner. What a program acquires by `with self._lock:` can be told from where
its frames stand; of `self._lock.acquire()` nobody can say whether it was released since.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import FrameType, MemberDescriptorType
from typing import Final

from otel_flight.sources.running_code.bytecode import UNNAMED, Path, blocks_around
from otel_flight.sources.running_code.frames import local_of

MOST_FRAMES: Final = 60
"""Of one stack that are searched, from the innermost one on."""
_NOTHING: Final = object()


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
        found = _attribute(found, name)
    return found


def frame_holding(lock: object, stack: Sequence[FrameType]) -> FrameType | None:
    """Return the frame of a stack whose `with` block holds a lock, None when none does.

    Args:
        lock: what is waited for.
        stack: outermost first; not the one that waits.
    """
    for frame in stack[: -MOST_FRAMES - 1 : -1]:
        if frame.f_code.co_name == "wait" and local_of(frame, "self") is lock:
            return None  # a condition is let go of while it is waited for
        for path in blocks_around(frame.f_code, frame.f_lasti):
            if value_of(frame, path) is lock:
                return frame
    return None


def _attribute(owner: object, name: str) -> object:
    if owner is None:
        return None
    found = inspect.getattr_static(owner, name, _NOTHING)
    if type(found) is MemberDescriptorType:  # of `__slots__`
        return found.__get__(owner, type(owner)) if not isinstance(owner, type) else None
    return None if found is _NOTHING or hasattr(type(found), "__get__") else found
