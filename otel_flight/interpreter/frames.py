"""The stacks of other threads and of waiting coroutines; reading them stops and changes nobody.

Every look at the frames of another thread goes through here. What comes back are codes and numbers:
who keeps a frame keeps everything in it alive, and ends it on the wrong thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import CodeType
from typing import Any, Final, Protocol

from otel_flight.interpreter.code.places import Place, line_before
from otel_flight.interpreter.own_frames import is_ours
from otel_flight.interpreter.threads import HAS_GIL

try:
    import otel_flight.interpreter._frames as reader  # type: ignore[import-not-found]
except ImportError:
    import otel_flight.interpreter.frames_in_python as reader

_reader: Final[Any] = reader
os.register_at_fork(after_in_child=_reader.forked)

MOST_FRAMES: Final = 300
"""At most this many frames of one stack are read, from the innermost one on."""

IS_COMPILED: Final = _reader.__name__.endswith("_frames")
"""It tells whether frames are read in C."""

CAN_READ_LOCALS: Final = IS_COMPILED or sys.version_info >= (3, 13)
"""It tells whether local variables can be read without writing into the program."""

_WAS_REPAIRED: Final = (3, 11, 1)
"""Python 3.11.0 shows calls that have ended, and whose memory is about to be used again
(python/cpython #99729)."""

CAN_READ_FRAMES: Final = (
    hasattr(sys, "_current_frames") and HAS_GIL and not (3, 11) <= sys.version_info < _WAS_REPAIRED
)
"""It tells whether the frames of other threads can be read: without the GIL, one may go away
meanwhile."""


class Frame(Protocol):
    """A call, as it stood at one moment.

    Attributes:
        code: what is being run.
        offset: of the instruction that it is at, as `frame.f_lasti`.
        line: of the source file; 0: not known.
        key: which other calls do not have while this one runs.
    """

    @property
    def code(self) -> CodeType: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> int: ...  # noqa: D102


Stack = Sequence[Frame]
"""A stack has the frames of a thread, or of coroutines that wait for one another, the outermost
first."""


def can_look() -> bool:
    """Return whether the stacks of threads can be read just now; 0.05 µs.

    Not while there is another interpreter that may have a GIL of its own (from Python 3.12 on): its
    threads do not stop for whoever looks at them.
    """
    found: bool = CAN_READ_FRAMES and _reader.can_look()
    return found


def current_stacks(most: int = MOST_FRAMES) -> Mapping[int, Stack]:
    """Return the stacks of all threads but the calling one at one moment, by thread id.

    Args:
        most: at most so many frames of each, from the innermost one on.
    """
    if not CAN_READ_FRAMES:
        return {}
    found: Mapping[int, Stack] = _reader.stacks(most)
    return found


def current_stack(thread_id: int) -> Stack:
    """Return the stack of one thread; empty: there is none, or it cannot be read."""
    if not CAN_READ_FRAMES:
        return ()
    found: Stack = _reader.stack_of(thread_id, MOST_FRAMES)
    return found


def suspended_stack(greenlet: Any) -> Stack:
    """Return the stack of a greenlet that does not run; empty: it does, or it cannot be read."""
    if greenlet is None or not can_look():
        return ()
    found: Stack = _reader.suspended(greenlet, MOST_FRAMES)
    return found


def awaiting_stack(coroutine: object) -> tuple[Stack, object]:
    """Return the frames of a coroutine that waits, and what the last of them waits for.

    One coroutine awaits the next; the last may wait for a future, or for nothing that is known.
    """
    found: tuple[Stack, object] = _reader.awaiting(coroutine, MOST_FRAMES)
    return found


def values_in(requests: Iterable[tuple[Frame, str]]) -> list[Any]:
    """Return what names mean in frames, of each a local variable or else a global one.

    None where that cannot be told without writing into the program, and where the frame has gone on
    since it was seen.
    """
    asked = list(requests)
    found: list[Any] = _reader.values(asked) if asked and CAN_READ_LOCALS else [None] * len(asked)
    return found


def value_in(frame: Frame, name: str) -> Any:
    """Return what one name means in a frame, as `values_in` does."""
    return values_in([(frame, name)])[0]


def values_of_packages(frames: Stack, packages: tuple[str, ...]) -> list[object]:
    """Return the values of local variables in frames whose types are of some packages."""
    found: list[object] = _reader.values_of_packages(list(frames), packages)
    return found


def count_native_tasks() -> int:
    """Return how many tasks of asyncio the interpreter itself keeps, as it does from 3.14 on."""
    found: int = _reader.count_tasks()
    return found


def places_in(frames: Stack) -> list[Place]:
    """Return where frames are, in their order, as events take it; without the recorder's own."""
    found: list[Place] = []
    file, is_left_out = "", False
    for frame in frames:
        code = frame.code
        if code.co_filename is not file:  # many frames in a row are in the same one
            file = code.co_filename
            is_left_out = is_ours(file)
        if not is_left_out:
            found.append((code, frame.line or line_before(code, frame.offset)))
    return found
