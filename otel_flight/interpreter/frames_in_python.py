"""What `_frames.c` does, where that was not built: the stacks of other threads as plain data.

Python code lets others run between any two of its instructions, so what must not be interrupted is
one call of a function written in C, which goes through iterators that are written in C as well.
Its limit: the interpreter makes an object of each frame, which stays with it until it ends; and
before Python 3.13 nothing can read a local variable without writing into what others read.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, compress, repeat, starmap, takewhile, tee
from operator import attrgetter
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, Final
from weakref import ref

import msgspec

from otel_flight.ground.interpreters import INTERPRETERS
from otel_flight.ground.native import get_ident, getpid

_CAN_READ_LOCALS: Final = sys.version_info >= (3, 13)
_ONCE: Final = ((),)
"""A function is called once with these, and with no arguments."""
_WRAPPERS: Final = frozenset(
    {"FutureIter", "coroutine_wrapper", "async_generator_asend", "async_generator_athrow"}
)
"""Objects of these types of the interpreter stand between two coroutines, and have no attribute
that says what is inside."""
_OPTIMIZED: Final = 0x01
"""This flag of a code object says that its local variables are not in a dictionary."""

_getattr: Final[Any] = getattr
_place_in: Final = attrgetter("f_code", "f_lasti", "f_lineno")
_FRAME_OF: Final[dict[type, Any]] = {
    CoroutineType: (attrgetter("cr_frame"), attrgetter("cr_await")),
    GeneratorType: (attrgetter("gi_frame"), attrgetter("gi_yieldfrom")),
    AsyncGeneratorType: (attrgetter("ag_frame"), attrgetter("ag_await")),
}


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A call, as it stood at one moment; it keeps alive the code alone.

    Attributes:
        code: what is being run.
        offset: of the instruction that it is at.
        line: of the source file; 0: not known.
        key: which other calls do not have while this one runs.
        owner: the id of the thread, or a weak reference to the coroutine the stack begins with.
    """

    code: CodeType
    offset: int
    line: int
    key: int
    owner: int | ref[Any] | None


_MAY_HAVE_OWN_GIL: Final = sys.version_info >= (3, 12)
"""It tells whether another interpreter may have a GIL of its own."""
_list_interpreters: Final[Any] = getattr(INTERPRETERS, "list_all", None)


_pid = getpid()
"""The process as far as Python knows: a server that has Python inside may fork without telling it,
and then, from Python 3.11 on, threads are listed whose memory is used again."""


def forked() -> None:
    """Note that Python knows of the process that it is in."""
    global _pid
    _pid = getpid()


def can_look() -> bool:
    """Return whether the stacks of threads can be read just now.

    There is no other interpreter, and no list of the threads of another process.
    """
    if sys.version_info >= (3, 11) and _pid != getpid():
        return False
    if not _MAY_HAVE_OWN_GIL or _list_interpreters is None:
        return True
    return len(_list_interpreters()) == 1


def stacks(most: int) -> dict[int, tuple[Frame, ...]]:
    """Return the innermost frames of the other threads, outermost first, by thread id."""
    innermost = _innermost_frames()
    found = _without_collections([_upwards(frame, most) for frame in innermost.values()])
    return {
        thread_id: _stack(seen, thread_id) for thread_id, seen in zip(innermost, found, strict=True)
    }


def stack_of(thread_id: int, most: int) -> tuple[Frame, ...]:
    """Return the innermost frames of a thread, outermost first."""
    frame = _innermost_frames().get(thread_id)
    if frame is None:
        return ()
    return _stack(_without_collections([_upwards(frame, most)])[0], thread_id)


def suspended(greenlet: Any, most: int) -> tuple[Frame, ...]:
    """Return the innermost frames of a greenlet that does not run, outermost first."""
    frame = greenlet.gr_frame
    if frame is None:
        return ()
    seen = _without_collections([_upwards(frame, most)])[0]
    return tuple([_frame(each, None) for each in reversed(seen)])


def awaiting(coroutine: object, most: int) -> tuple[tuple[Frame, ...], object]:
    """Return the frames of a coroutine and of those it waits for, and what the last waits for."""
    waiting, awaited = _inwards(coroutine, most)
    owner = ref(coroutine) if waiting else None
    found = zip(waiting, _frames_of(waiting), strict=True)
    seen = [(id(each), _place_in(frame)) for each, frame in found if frame is not None]
    return tuple([_frame(each, owner) for each in seen]), awaited


def values(requests: list[tuple[Frame, str]]) -> list[object]:
    """Return what names mean in frames that are still as they were seen; else None."""
    return [_value(frame, name) for frame, name in requests]


def values_of_packages(frames: list[Frame], packages: tuple[str, ...]) -> list[object]:
    """Return the values of local variables whose types were made in one of some packages."""
    if not _CAN_READ_LOCALS:
        return []
    found = [each for each in map(_find_again, frames) if each is not None]
    return [
        value
        for frame in found
        if frame.f_code.co_flags & _OPTIMIZED
        for value in frame.f_locals.values()
        if _package_of(type(value)) in packages
    ]


def count_tasks() -> int:
    """Return 0: nothing but C sees the tasks that the interpreter keeps."""
    return 0


def _innermost_frames() -> dict[int, FrameType]:
    """Return the innermost frame of each thread but the calling one, by thread id."""
    if not can_look():
        return {}
    found: dict[int, FrameType]
    [[found]] = _without_collections([starmap(sys._current_frames, _ONCE)])
    found.pop(get_ident(), None)  # it holds the frame that holds it, and with it all others
    return found


def _upwards(frame: FrameType, most: int) -> Iterator[Any]:
    """Go from a frame to its callers: their ids, and where they are."""
    names = chain([frame], repeat("f_back", most - 1))
    ids, places = tee(takewhile(bool, accumulate(names, _getattr)))
    return zip(map(id, ids), map(_place_in, places), strict=True)


def _without_collections(parts: Sequence[Iterator[Any]]) -> list[list[Any]]:
    """Return what some iterators yield; while it goes through them, no other thread can run.

    That is so if they are written in C. Collections would run Python code in the middle: that they
    are off, nobody sees.
    """
    was_on: list[bool] = []
    found: list[list[Any]] = []
    steps = chain(
        map(was_on.append, starmap(gc.isenabled, _ONCE)),
        starmap(gc.disable, _ONCE),
        map(found.append, map(list, parts)),
        starmap(gc.enable, compress(_ONCE, was_on)),
    )
    try:
        deque(steps, maxlen=0)
    except BaseException:
        if was_on and was_on[0]:
            gc.enable()
        raise
    return found


def _stack(seen: list[Any], owner: int) -> tuple[Frame, ...]:
    return tuple([_frame(each, owner) for each in reversed(seen)])


def _frame(seen: tuple[int, tuple[CodeType, int, int | None]], owner: Any) -> Frame:
    key, (code, offset, line) = seen
    return Frame(code, offset, line or 0, key, owner)


def _inwards(coroutine: object, most: int) -> tuple[list[Any], object]:
    """Return coroutines and generators that wait for one another, and what the last waits for."""
    waiting: list[Any] = []
    awaited: Any = coroutine
    while awaited is not None and len(waiting) < most:
        kind = type(awaited)
        if kind in _FRAME_OF:
            waiting.append(awaited)
            awaited = _FRAME_OF[kind][1](awaited)
        elif kind.__name__ in _WRAPPERS:
            awaited = _inside(awaited)
        else:
            break
    return waiting, awaited


def _frames_of(waiting: list[Any]) -> list[FrameType | None]:
    """Return the frames of coroutines and generators, None of one that has ended."""
    found = _without_collections([map(_FRAME_OF[type(each)][0], [each]) for each in waiting])
    return [frame for (frame,) in found]


def _inside(wrapper: object) -> object:
    """Return what one of the interpreter's wrappers is around."""
    referents = [each for each in gc.get_referents(wrapper) if not isinstance(each, type)]
    generators = [each for each in referents if type(each) in _FRAME_OF]
    return next(iter([*generators, *referents]), None)


def _value(frame: Frame, name: str) -> object:
    found = _find_again(frame) if _CAN_READ_LOCALS else None
    if found is None:
        return None
    code = found.f_code
    if not code.co_flags & _OPTIMIZED:
        return found.f_globals.get(name) if found.f_locals is found.f_globals else None
    if name in code.co_varnames + code.co_cellvars + code.co_freevars:
        return found.f_locals.get(name)
    return found.f_globals.get(name)


def _find_again(frame: Frame) -> FrameType | None:
    """Return the frame itself if it is still at the same instruction."""
    if isinstance(frame.owner, ref):
        waiting, _ = _inwards(frame.owner(), sys.maxsize)
        (found,) = _frames_of([each for each in waiting if id(each) == frame.key]) or [None]
    else:
        found = _innermost_frames().get(frame.owner or 0)
        while found is not None and id(found) != frame.key:
            found = found.f_back
    is_same = found is not None and found.f_code is frame.code and found.f_lasti == frame.offset
    return found if is_same else None


def _package_of(kind: type) -> str:
    module = type.__getattribute__(kind, "__module__")  # not what a metaclass makes of it
    return module.partition(".")[0] if type(module) is str else ""
