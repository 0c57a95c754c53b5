"""One thing of two incidents: how it reads in each, and whether that is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from otel_flight.report.model.incident_words import evidence_words
from otel_flight.words import one_line

SAME: Final = "same"
DIFFERS: Final = "differs"
ONLY_FIRST: Final = "only in the first"
ONLY_SECOND: Final = "only in the second"
_LONGEST: Final = 400
"""A text is cut at this many characters."""
_TIMES: Final = 1.5
"""Two numbers are the same up to this factor: two windows of the same traffic differ as much."""
_MOST_TIMES: Final = 99
"""A larger factor is not told exactly."""


class Value(NamedTuple):
    """What one incident says.

    Attributes:
        text: as people read it.
        numbers: what is compared instead of the text, by what it says, if there are any.
    """

    text: str
    numbers: Mapping[str, float] = {}


@dataclass(frozen=True)
class Row:
    """The same thing in both incidents.

    Attributes:
        what: it is called so.
        values: what the first says, and the second; empty where one says nothing.
        verdict: `same`, `differs`, `only in the first`, or `only in the second`.
        change: by which factor which numbers differ; empty for none.
    """

    what: str
    values: tuple[str, str]
    verdict: str
    change: str = ""


def compared(key: str, value: Any) -> Value:
    """Return a part of a finding's evidence; the number that it is, or its text."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return Value(evidence_words(key, value), {"": value} if is_number else {})


def row_of(what: str, one: Value | None, other: Value | None) -> Row:
    """Return a row; None is what an incident says nothing of."""
    texts = tuple(
        one_line(each.text, _LONGEST) if each is not None else "" for each in (one, other)
    )
    assert len(texts) == 2
    what = one_line(what, _LONGEST)
    if one is None or other is None:
        return Row(what, texts, ONLY_SECOND if one is None else ONLY_FIRST)
    changes = list(_changes(one.numbers, other.numbers))
    is_same = not changes if one.numbers and other.numbers else one.text == other.text
    return Row(what, texts, SAME if is_same else DIFFERS, ", ".join(changes))


def _changes(one: Mapping[str, float], other: Mapping[str, float]) -> Iterator[str]:
    for name in (name for name in one if name in other):
        small, large = sorted((abs(one[name]), abs(other[name])))
        if large == small or (small and large < small * _TIMES):
            continue
        if small == 0:
            yield f"{name} only in the {'first' if one[name] else 'second'}" if name else ""
        else:
            times = other[name] / one[name]
            yield (
                f"{name} ×{times:.2g}".strip() if times < _MOST_TIMES else f"{name} ×>{_MOST_TIMES}"
            )
