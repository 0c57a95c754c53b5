"""Reads a formatted traceback: where the innermost of its exceptions comes from, and its class.

A message may hold anything, a traceback as well: what follows the frames of the innermost one is
looked at only where none of them is the application's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from otel_flight.interpreter.code.origin import is_application

_LONGEST: Final = 1 << 16
"""At most this many characters of a traceback are read, from its beginning on."""
_MEMBER: Final = re.compile(r"^ *\+(?:-\+)?-+ 1 -+\n", re.MULTILINE)
"""The first member of a group begins after such a line."""
_INDENT: Final = re.compile(r"^ *\| ?", re.MULTILINE)
_HEADING: Final = "Traceback (most recent call last):\n"
_FRAME: Final = re.compile(r'  File "(.*)", line (\d+), in (.*)')
_CLASS: Final = re.compile(r"[\w.<>]+")
_Place = tuple[str, str, str]


@dataclass(frozen=True)
class Origin:
    """Where an exception comes from.

    Attributes:
        kind: its class, with the module unless it is a built-in one.
        location: `file:line in function`, the innermost of the application's own code, also where
            that is only in what was raised from it; empty when it is not known.
    """

    kind: str = ""
    location: str = ""


def origin_of(stacktrace: str) -> Origin:
    """Return where the innermost exception of a chain, or the first one of a group, comes from."""
    text = stacktrace[:_LONGEST]
    is_member = False
    while member := _MEMBER.search(text):
        text = _INDENT.sub("", text[member.end() :])
        is_member = True
    before, *sections = text.split(_HEADING)
    if not sections or before.strip():
        # A member of a group may have no traceback.
        return Origin(_class_in(text) if is_member else "")
    kind, places = _frames_of(sections[0])
    outer = (_own(_frames_of(section)[1]) for section in sections)
    location = next(filter(None, outer), places)
    return Origin(kind, "{}:{} in {}".format(*location[-1]) if location else "")


def _frames_of(section: str) -> tuple[str, list[_Place]]:
    """Return the class of the exception of a traceback, and its places, outermost first."""
    places: list[_Place] = []
    for line in section.splitlines():
        if not line.startswith("  "):
            return _class_in(line), places
        if frame := _FRAME.fullmatch(line):
            places.append((frame[1], frame[2], frame[3]))
    return "", places


def _own(places: list[_Place]) -> list[_Place]:
    return [place for place in places if is_application(place[0])]


def _class_in(text: str) -> str:
    found = _CLASS.match(text)
    return found[0] if found is not None else ""
