"""What is kept of an exception: texts and numbers, never the exception, a traceback or a frame.

Those hold every local variable of the program that failed.
"""

from __future__ import annotations

from collections import deque
from types import CodeType, TracebackType
from typing import Any, Final

from otel_flight.ground.signal_errors import pass_on
from otel_flight.interpreter.code.places import Place, qualified_name
from otel_flight.names import exception_attributes as names
from otel_flight.names.attributes import FILE, FUNCTION, LINE
from otel_flight.recording.encoding.stack_table import MOST_FRAMES

LONGEST_MESSAGE: Final = 1024
_MOST_LINKS: Final = 8
"""At most this many exceptions of one chain are described."""
_LONGEST_TYPE: Final = 256
_PLAIN_TYPES: Final = (str, bytes, int, float, bool, type(None))
_HALF: Final = MOST_FRAMES // 2


def exception_attributes(error: BaseException, *, runs_code: bool = True) -> dict[str, Any]:
    """Return an exception as attributes: its type, message, and the chain that led to it.

    Args:
        error: the exception.
        runs_code: whether its `__str__` may be called, which is the application's code. Not within
            a garbage collection.
    """
    found: dict[str, Any] = {
        names.TYPE: type_name(type(error)),
        names.MESSAGE: message_of(error, runs_code=runs_code),
    }
    below = _chain(error)
    if below:
        found[names.CHAIN] = [_link(each, runs_code=runs_code) for each in reversed(below)]
    return found


def place_attributes(places: list[Place]) -> dict[str, Any]:
    """Return the innermost place of a stack as attributes."""
    for where, line in reversed(places):
        if isinstance(where, CodeType):
            return {
                FUNCTION: qualified_name(where),
                FILE: where.co_filename,
                LINE: line,
            }
    return {}


def type_name(kind: type) -> str:
    """Return a type's name as spans have it: with its module, unless it is built in."""
    module, name = str(kind.__module__), kind.__qualname__
    return (name if module in ("builtins", "None") else f"{module}.{name}")[:_LONGEST_TYPE]


def message_of(error: BaseException, *, runs_code: bool = True) -> str:
    """Return an exception's message, cut; raises only what a signal handler does meanwhile."""
    if not runs_code:
        parts = (
            str(argument) if type(argument) in _PLAIN_TYPES else f"<{type(argument).__name__}>"
            for argument in error.args[:5]
        )
        return ", ".join(parts)[:LONGEST_MESSAGE]
    try:
        return str(error)[:LONGEST_MESSAGE]
    except Exception as failure:  # noqa: BLE001  (the application's code)
        pass_on(failure)
        return f"<no message: {type(failure).__name__}>"


def traceback_places(traceback: TracebackType | None) -> list[Place]:
    """Return where a traceback goes through, outermost first.

    Of a long one, as recursion without end leaves, the first and the last places.
    """
    first: list[Place] = []
    last: deque[Place] = deque(maxlen=_HALF)
    left_out = 0
    while traceback is not None:
        place = traceback.tb_frame.f_code, traceback.tb_lineno or 0
        if len(first) < _HALF - 1:
            first.append(place)
        else:
            left_out += len(last) == _HALF
            last.append(place)
        traceback = traceback.tb_next
    if left_out:
        first.append((f"({left_out} frames left out)", 0))
    return [*first, *last]


def _chain(error: BaseException) -> list[BaseException]:
    """Return what an exception was raised from or within, the nearest first."""
    found: list[BaseException] = []
    above = error
    while len(found) < _MOST_LINKS:
        hidden = None if above.__suppress_context__ else above.__context__
        below = above.__cause__ or hidden
        if below is None or any(below is each for each in (error, *found)):
            break
        found.append(below)
        above = below
    return found


def _link(error: BaseException, *, runs_code: bool) -> str:
    words = f"{type_name(type(error))}: {message_of(error, runs_code=runs_code)}"
    place = place_attributes(traceback_places(error.__traceback__)[-1:])
    if not place:
        return words
    where = f"{place['code.file.path']}:{place['code.line.number']}"
    return f"{words} in {place['code.function.name']} ({where})"
