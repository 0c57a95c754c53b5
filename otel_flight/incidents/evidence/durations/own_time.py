"""The longest part of a slow span's time that its own code had; shared by the rules on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from otel_flight.incidents.evidence.durations.stopped_time import LEAST_SHARE, slow_request
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part, time_parts
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import described
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import attributes as names
from otel_flight.records.records import Frame
from otel_flight.words import quoted, short_duration

_MODULE: Final = "<module>"
"""Code that runs while its module is imported is in a function of this name."""
_FEWEST_SAMPLES: Final = 2
"""What fewer samples show may have been over soon."""


class OwnTime(NamedTuple):
    """A part of a slow span's time, and in which functions it was spent.

    Attributes:
        span: the slow one.
        part: the longest part.
        path: the application's functions, the innermost one last.
    """

    span: WindowSpan
    part: Part
    path: Sequence[Frame]

    @property
    def share(self) -> float:
        """The part of the span's time."""
        return min(1.0, self.part.duration_ns / self.span.duration_ns)

    @property
    def words(self) -> str:
        """How long that is, and which part of the time."""
        return (
            f"{short_duration(self.part.duration_ns)} of its "
            f"{short_duration(self.span.duration_ns)} ({self.share:.0%})"
        )

    @property
    def location(self) -> dict[str, Any]:
        """The innermost function, as a part of a finding's evidence."""
        frame = self.path[-1]
        return {names.FUNCTION: frame.function, names.FILE: frame.file, names.LINE: frame.line}


def parts_of_slow(evidence: Evidence) -> Sequence[Part]:
    """Return the parts of the slow span's time; none where slowness is not the matter."""
    slow = slow_request(evidence)
    return () if slow is None else time_parts(evidence, slow)


def longest_of(
    evidence: Evidence, doing: AbstractSet[Doing], but: Collection[str] = ()
) -> OwnTime | None:
    """Return the longest part that was spent so, None unless it is a good part of the time.

    Args:
        evidence: the incident.
        doing: what is looked for.
        but: what was waited for that other rules speak of.
    """
    slow = slow_request(evidence)
    if slow is None:
        return None
    for part in evidence.once(parts_of_slow):
        if part.doing in doing and part.subject not in but:
            own = OwnTime(slow, part, part.path)
            is_enough = own.share >= LEAST_SHARE and len(part.samples) >= _FEWEST_SAMPLES
            return own if is_enough and own.path else None
    return None


def words_of_path(path: Sequence[Frame]) -> str:
    """Return a function as it stands in a sentence, and who called it, or imports its module."""
    inner = quoted(described(path[-1]), 200)
    callers = [frame.function for frame in path[:-1] if frame.function != path[-1].function]
    if not callers:
        return inner
    *further, caller = callers
    if path[-1].function == _MODULE:
        return f"{inner}, imported by {quoted(caller)}"
    imported = f", imported by {quoted(further[-1])}" if caller == _MODULE and further else ""
    return f"{inner}, called by {quoted(caller)}{imported}"
