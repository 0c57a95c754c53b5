"""The members of an exception group, read out of its traceback."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.failures.raised import (
    Raised,
    exception_words,
    first_raised,
    tracebacks_of,
)

_HEADING: Final = "Exception Group Traceback (most recent call last):"
_MEMBER: Final = re.compile(r"^ *\+(?:-\+)?-+ \d+ -+\n", re.MULTILINE)
"""A member begins after such a line."""
_RULE: Final = re.compile(r"^ *\+-+$", re.MULTILINE)
_GROUP: Final = re.compile(r"\(\d+ sub-exceptions?\)\s*\Z")
"""A group ends so, before its own members."""
_INDENT: Final = re.compile(r"^ *\| ?", re.MULTILINE)


class Member(NamedTuple):
    """A member of a group, or of a group within it."""

    words: str
    """`Type: message`, the module left out."""
    place: str
    """`file.py:line in function` of its innermost frame; empty when it was never raised."""


def members_of(exception: Raised) -> list[Member]:
    """Return the members of a group that are no groups; none of any other exception."""
    if _HEADING not in exception.stacktrace:
        return []
    parts = _MEMBER.split(exception.stacktrace)[1:]
    texts = (_INDENT.sub("", _RULE.sub("", part)).strip("\n") for part in parts)
    return [_member(text) for text in texts if not _GROUP.search(text)]


def _member(text: str) -> Member:
    raised = Raised("", "", text)
    last = tracebacks_of(raised)[-1]
    lines = last.split("\n")
    if lines[0].startswith("Traceback "):
        lines = lines[1:]
        while lines and lines[0].startswith(" "):
            del lines[0]
    kind, _, message = (lines[0] if lines else "").partition(": ")
    return Member(exception_words(kind, message), first_raised(raised).place)
