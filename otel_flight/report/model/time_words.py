"""What a slow span's time went into, in words: one line for each part, which add up to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.durations.own_time import words_of_path
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part
from otel_flight.names.wait_kinds import SLEEP
from otel_flight.words import count, quoted, short_duration

MOST_SHARES: Final = 8
"""At most this many parts are told, the longest; the others become one."""
_LEAST: Final = 0.005
"""A smaller share of the time is told with the others, or not at all."""
_LEAST_ASSUMED: Final = 0.2
"""It is told how much of a part nobody saw from this share of it on."""


class Share(NamedTuple):
    """A line of it.

    Attributes:
        words: what the time went into.
        duration_ns: how much of it.
        share: which part of all of it, 0 to 1.
        is_known: whether it is known what that was.
    """

    words: str
    duration_ns: int
    share: float
    is_known: bool


def shares_of(parts: Sequence[Part]) -> list[Share]:
    """Return the lines, the longest part first, what is unknown last; none without parts."""
    if not parts:
        return []
    total_ns = sum(part.duration_ns for part in parts)
    has_samples = any(part.samples for part in parts)
    known = [part for part in parts if part.doing is not Doing.UNKNOWN]
    told = [part for part in known[: MOST_SHARES - 1] if part.duration_ns >= _LEAST * total_ns]
    lines = [(_words(part), part.duration_ns, True) for part in told]
    rest = known[len(told) :]
    if (rest_ns := sum(each.duration_ns for each in rest)) >= _LEAST * total_ns:
        lines.append((count(len(rest), "other part"), rest_ns, True))
    why = "before the first stack sample, or between two" if has_samples else "no stack samples"
    lines += [
        (f"unknown: {why}", part.duration_ns, False)
        for part in parts
        if part.doing is Doing.UNKNOWN and part.duration_ns >= _LEAST * total_ns
    ]
    return [Share(words, each, each / total_ns, is_known) for words, each, is_known in lines]


def _words(part: Part) -> str:
    if part.doing is Doing.RUNNING:
        what = f"in the native call {quoted(part.call)}" if part.call else "running"
        return f"{what}{_where(part)}"
    if part.doing is Doing.WAITING:
        what = "asleep" if part.subject == SLEEP else f"waiting: {part.subject}"
        thing = f" {quoted(part.object)}" if part.object and part.subject != SLEEP else ""
        return f"{what}{thing}{_where(part)}"
    name = f": {quoted(part.subject)}" if part.subject else ""
    return f"{part.doing.value}{name}"


def _where(part: Part) -> str:
    where = f", in {words_of_path(part.path)}" if part.path else ""
    if part.assumed_ns < _LEAST_ASSUMED * part.duration_ns:
        return where
    assumed = short_duration(min(part.assumed_ns, part.duration_ns))
    return f"{where}; {assumed} of it between samples that show the same"
