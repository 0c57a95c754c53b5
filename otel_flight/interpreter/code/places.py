"""Where a program is: a code object and a line, which keep alive no frame and so no variable."""

from __future__ import annotations

import re
from types import CodeType
from typing import Final

from otel_flight.records.records import Frame

Place = tuple[CodeType | Frame | str, int]
"""A place is code and a line in it. A text stands for what has no code, such as the lock or the
future that is waited for, with line 0; a frame for code that is only known by its name."""

_UNNAMED: Final = re.compile(r"(?:\.<locals>\.<\w+>)+$")
"""So ends the qualified name of what has none of its own: with `<genexpr>`, `<lambda>`, say."""


def qualified_name(code: CodeType) -> str:
    """Return a function's name with its class, as far as the interpreter knows that."""
    name: str = getattr(code, "co_qualname", code.co_name)  # from Python 3.11 on
    return name


def enclosing_function(name: str) -> str:
    """Return the function that a comprehension, a generator expression or a lambda stands in.

    Its own name where it has one, or where it is not known what it stands in.
    """
    return _UNNAMED.sub("", name)


def line_before(code: CodeType, offset: int) -> int:
    """Return the line of the last instruction up to an offset that has one.

    What a compiler puts in has none, such as the jump back to the head of a loop.
    """
    found = code.co_firstlineno
    for start, _, line in code.co_lines():
        if start > offset:
            break
        found = line or found
    return found
