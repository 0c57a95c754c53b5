"""Where in a long text secrets may be: only there it is looked at closely, which takes time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from otel_flight.redaction.telltales import expression_for

LONG_CHARACTERS: Final = 512
"""A text with fewer characters is looked at as a whole."""
_MOST_BEFORE: Final = 512
"""So many characters before a telltale are looked at, from a space on: what is in the same line."""
_MOST_BEHIND: Final = 4096
"""So many characters behind a telltale are looked at, and on to a space: what is in the same line
and the next one; of a line without spaces twice as many."""
_CAPITALS: Final = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}
_GAP: Final = re.compile(r"\s")


class LongTexts:
    """Cleans a text around its telltales.

    Args:
        words: one of which is in what is to be looked at, as `telltales.words_of` returns them.
    """

    def __init__(self, words: Iterable[bytes]) -> None:
        expression = expression_for(words, in_text=True).decode("utf-8", "replace")
        self._find = re.compile(expression, re.ASCII).finditer

    def clean(self, text: str, clean: Callable[[str], str]) -> str:
        """Return a text with those parts cleaned that may need it."""
        kept: list[str] = []
        end = 0
        for start, stop in self._windows(text):
            kept += text[end:start], clean(text[start:stop])
            end = stop
        return "".join([*kept, text[end:]])

    def _windows(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where they begin and end, in order, none in another."""
        begin, end = 0, -1
        for found in self._find(_lowered(text)):
            if found.start() < end:
                end = max(end, _end_of(text, found.end()))
                continue
            if end >= 0:
                yield begin, end
            begin = max(end, _begin_of(text, found.start()), 0)
            end = _end_of(text, found.end())
        if end >= 0:
            yield begin, end


def _begin_of(text: str, place: int) -> int:
    first = max(0, place - _MOST_BEFORE)
    line = text.rfind("\n", first, place)
    return max(first, (line if line >= 0 else text.find(" ", first, place)) + 1)


def _end_of(text: str, place: int) -> int:
    last = place + _MOST_BEHIND
    line = text.find("\n", place, last)
    next_line = -1 if line < 0 else text.find("\n", line + 1, last)
    if next_line >= 0:
        return next_line
    gap = _GAP.search(text, last, last + _MOST_BEHIND) if last < len(text) else None
    return min(len(text), last + _MOST_BEHIND if gap is None else gap.start())


def _lowered(text: str) -> str:
    """Return a text of the same length in which the capitals of ASCII are small letters."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_CAPITALS)
