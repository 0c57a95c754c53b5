"""Places in a program as findings name them: `function (file:line)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_flight.interpreter.code.origin import (
    is_application,
    is_launcher,
    is_standard,
    short_file,
    work_in,
)
from otel_flight.interpreter.code.places import enclosing_function
from otel_flight.names import attributes as names
from otel_flight.records.records import Frame

_MOST_LINES: Final = 10
"""An expression stands at most so many lines below the line that its function is at."""
_MODULE: Final = "<module>"


def described(frame: Frame) -> str:
    """Return a frame as it stands in a sentence: `crunch (shop/app.py:12)`."""
    return f"{frame.function} ({short_file(frame.file)}:{frame.line})"


def frame_in(attributes: Mapping[str, Any]) -> Frame:
    """Return the function that the attributes of an event name; without a file if they do not."""
    line = attributes.get(names.LINE, 0)
    return Frame(
        enclosing_function(str(attributes.get(names.FUNCTION, ""))),
        str(attributes.get(names.FILE, "")),
        line if isinstance(line, int) else 0,
    )


def place_in(attributes: Mapping[str, Any]) -> str:
    """Return that function as it stands in a sentence, empty when it is not named."""
    frame = frame_in(attributes)
    return described(frame) if frame.file else ""


def location(place: str) -> dict[str, str]:
    """Return a place as a part of a finding's evidence; nothing when it is not known."""
    return {names.LOCATION: place} if place else {}


def application_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Return the application's own frames; if there are none, a package's innermost, if any.

    Without those that only started a server. What has no name of its own, such as a generator
    expression, is told by the function that it stands in, and is one frame with it.
    """
    work = work_in(frames, _named)
    own = [frame for frame in work if is_application(frame.file)]
    packaged = [
        each for each in frames if not is_standard(each.file) and not is_launcher(each.file)
    ]
    return _with_names(own) or packaged[-1:]


def named_frame(frames: Sequence[Frame], at: int) -> Frame:
    """Return a frame of a stack, outermost first, with the function that it stands in for a name.

    Where its own name does not tell that, as in a traceback, it is the function further out in the
    same file that is at the line just above, or at the same.
    """
    frame = frames[at]
    name = enclosing_function(frame.function)
    if _is_unnamed(name):
        above = [
            outer
            for outer in reversed(frames[:at])
            if outer.file == frame.file
            and 0 <= frame.line - outer.line <= _MOST_LINES
            and not _is_unnamed(outer.function)
        ]
        nearest = max(above, key=lambda outer: outer.line, default=frame)
        name = enclosing_function(nearest.function)
    return frame if name == frame.function else Frame(name, frame.file, frame.line)


def _with_names(frames: Sequence[Frame]) -> list[Frame]:
    found: list[Frame] = []
    for at, frame in enumerate(frames):
        named = named_frame(frames, at)
        if named is not frame and found and _named(found[-1]) == _named(named):
            found.pop()
        found.append(named)
    return found


def _is_unnamed(function: str) -> bool:
    return function.startswith("<") and function != _MODULE


def place_of(frames: Sequence[Frame]) -> str:
    """Return the application's innermost function as it stands in a sentence."""
    found = application_frames(frames) or list(frames)
    return described(found[-1]) if found else ""


def _named(frame: Frame) -> tuple[str, str]:
    return frame.function, frame.file
