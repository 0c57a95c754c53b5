"""The longest part of a slow span's time that its own code had; shared by the rules on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from otel_flight.incidents.evidence.durations.samples import Sample
from otel_flight.incidents.evidence.durations.stopped_time import LEAST_SHARE, slow_request
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part, time_parts
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import described
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import attributes as names
from otel_flight.names.wait_kinds import CONNECTION_POOL, LOCK, SEMAPHORE, THREAD_POOL
from otel_flight.records.records import Frame
from otel_flight.words import quoted, short_duration

_MODULE: Final = "<module>"
"""Code that runs while its module is imported is in a function of this name."""
_ONE_BY_ONE: Final = frozenset({CONNECTION_POOL, LOCK, SEMAPHORE, THREAD_POOL})
"""Who has one of these does not have another: they do not count together."""
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

    Where none is, waits of one kind count together, such as those for the answers of many peers.

    Args:
        evidence: the incident.
        doing: what is looked for.
        but: what was waited for that other rules speak of.
    """
    slow = slow_request(evidence)
    if slow is None:
        return None
    parts = evidence.once(parts_of_slow)
    asked = [part for part in parts if part.doing in doing and part.subject not in but]
    for part in (*asked[:1], *_longest_together(asked)):
        own = OwnTime(slow, part, part.path)
        if own.share >= LEAST_SHARE and len(part.samples) >= _FEWEST_SAMPLES:
            return own if own.path else None
    return None


def _longest_together(parts: Sequence[Part]) -> list[Part]:
    """Return the longest part that waits of one kind make, each for something else."""
    kinds: defaultdict[tuple[Doing, str], list[Part]] = defaultdict(list)
    for part in parts:
        if part.subject not in _ONE_BY_ONE:
            kinds[part.doing, part.subject].append(part)
    together = [_together(each) for each in kinds.values() if len(each) > 1]
    return sorted(together, key=lambda part: -part.duration_ns)[:1]


def _together(parts: Sequence[Part]) -> Part:
    objects = [part.object for part in parts if part.object]
    more = f", and {len(objects) - 1} more" if len(objects) > 1 else ""
    samples = sorted((each for part in parts for each in part.samples), key=_start_ns)
    return Part(
        parts[0].doing,
        parts[0].subject,
        f"{objects[0]}{more}" if objects else "",
        sum(part.duration_ns for part in parts),
        samples,
    )


def _start_ns(sample: Sample) -> int:
    return sample.start_ns


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
