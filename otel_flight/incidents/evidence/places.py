"""Places in a program as findings name them: `function (file:line)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_flight.interpreter.code.origin import is_application, is_standard, short_file, work_in
from otel_flight.names import attributes as names
from otel_flight.records.records import Frame


def described(frame: Frame) -> str:
    """Return a frame as it stands in a sentence: `crunch (shop/app.py:12)`."""
    return f"{frame.function} ({short_file(frame.file)}:{frame.line})"


def frame_in(attributes: Mapping[str, Any]) -> Frame:
    """Return the function that the attributes of an event name; without a file if they do not."""
    line = attributes.get(names.LINE, 0)
    return Frame(
        str(attributes.get(names.FUNCTION, "")),
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
    """Return the application's own frames; if there are none, a package's innermost.

    Without those that only started a server.
    """
    work = work_in(frames, _named)
    own = [frame for frame in work if is_application(frame.file)]
    return own or [frame for frame in frames if not is_standard(frame.file)][-1:]


def place_of(frames: Sequence[Frame]) -> str:
    """Return the application's innermost function as it stands in a sentence."""
    found = application_frames(frames) or list(frames)
    return described(found[-1]) if found else ""


def _named(frame: Frame) -> tuple[str, str]:
    return frame.function, frame.file
