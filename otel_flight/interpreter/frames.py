"""The frames of other threads, as stacks; reading them takes no lock and stops nobody.

Who keeps a frame keeps everything in it alive, so none of these outlives a tick.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final

from otel_flight.interpreter.own_frames import is_ours
from otel_flight.interpreter.places import Place
from otel_flight.interpreter.threads import HAS_GIL

MOST_FRAMES: Final = 300
"""At most this many frames of a stack are read, from the innermost one on."""

CAN_READ_FRAMES: Final = hasattr(sys, "_current_frames") and HAS_GIL
"""It tells whether the frames of other threads can be read: without the GIL, one may go away
meanwhile."""

# Python 3.11 makes frame objects while it holds a lock, which may start a collection, which may run
# code that needs the same lock: the process would hang (python/cpython #106883).
_MUST_NOT_COLLECT: Final = sys.version_info[:2] == (3, 11)
_MAY_CLEAR_LOCALS: Final = sys.version_info < (3, 13)
_OPTIMIZED: Final = 0x01
"""This flag of a code object says that its local variables are not in a dictionary."""
_LOOK_AT_LOCALS: Final = frozenset({"locals", "vars", "dir", "eval", "exec"})


def current_frames() -> dict[int, FrameType]:
    """Return the innermost frame of each thread, by thread id."""
    if not _MUST_NOT_COLLECT or not gc.isenabled():
        return sys._current_frames()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        gc.enable()


def stack_of(innermost: FrameType | None) -> list[FrameType]:
    """Return the frames from the outermost to a given one."""
    frames: list[FrameType] = []
    while innermost is not None and len(frames) < MOST_FRAMES:
        frames.append(innermost)
        innermost = innermost.f_back
    frames.reverse()
    return frames


def places_in(frames: Sequence[FrameType]) -> list[Place]:
    """Return where frames are, in their order, as events take it; without the recorder's own."""
    found: list[Place] = []
    file, is_left_out = "", False
    for frame in frames:
        code = frame.f_code
        if code.co_filename is not file:  # many frames in a row are in the same one
            file = code.co_filename
            is_left_out = is_ours(file)
        if not is_left_out:
            found.append((code, frame.f_lineno or 0))
    return found


def local_of(frame: FrameType, name: str) -> object:
    """Return the value of a local variable, None when it cannot be read without side effects.

    Before Python 3.13, looking at local variables leaves a copy of them all with the frame, which
    keeps them alive for as long as that runs: it is cleared again. Not where a debugger, or the
    function itself, may be using that copy.
    """
    code = frame.f_code
    if not _can_look_into(frame):
        return None
    if name not in code.co_varnames and name not in code.co_freevars + code.co_cellvars:
        return None
    if not _MAY_CLEAR_LOCALS:
        return frame.f_locals.get(name)
    values = frame.f_locals
    found = values.get(name)
    values.clear()
    return found


def locals_of(frame: FrameType) -> list[object]:
    """Return the values of all local variables, as `local_of` does; none where it has none."""
    if not frame.f_code.co_nlocals or not _can_look_into(frame):
        return []
    values = frame.f_locals
    found = list(values.values())
    if _MAY_CLEAR_LOCALS:
        values.clear()
    return found


def _can_look_into(frame: FrameType) -> bool:
    code = frame.f_code
    if not code.co_flags & _OPTIMIZED:
        return False
    is_looked_at = frame.f_trace is not None or not _LOOK_AT_LOCALS.isdisjoint(code.co_names)
    return not (_MAY_CLEAR_LOCALS and is_looked_at)
