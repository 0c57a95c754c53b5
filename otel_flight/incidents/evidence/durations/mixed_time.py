"""The function that took a slow span's time where nothing that it did took much of it alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.durations.own_time import longest_of, parts_of_slow
from otel_flight.incidents.evidence.durations.samples import Sample
from otel_flight.incidents.evidence.durations.stopped_time import LEAST_SHARE, slow_request
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import application_frames
from otel_flight.incidents.window import WindowSpan
from otel_flight.records.records import Frame

_FEWEST_SAMPLES: Final = 2
"""What fewer samples show may have been over soon."""
_SEEN: Final = frozenset({Doing.RUNNING, Doing.WAITING})
_NOT_GOT: Final = frozenset({Doing.QUEUED, Doing.GIL})
"""Of these, samples tell how long and not when: each function has its share of them."""


class MixedTime(NamedTuple):
    """A function, and what it did.

    Attributes:
        span: the slow one.
        path: the application's functions, the innermost one last.
        parts: what it did and for how many nanoseconds, the longest first.
        samples: how many show it.
    """

    span: WindowSpan
    path: Sequence[Frame]
    parts: Sequence[tuple[Part, int]]
    samples: int

    @property
    def duration_ns(self) -> int:
        """How long it took."""
        return sum(duration_ns for _, duration_ns in self.parts)

    @property
    def share(self) -> float:
        """The part of the span's time."""
        return min(1.0, self.duration_ns / self.span.duration_ns)


def mixed_time(evidence: Evidence) -> MixedTime | None:
    """Return the function; None where one thing took a good part, or no function did."""
    slow = slow_request(evidence)
    if slow is None or any(longest_of(evidence, {each}) for each in _SEEN):
        return None
    parts = evidence.once(parts_of_slow)
    seen = [part for part in parts if part.doing in _SEEN]
    samples = [sample for part in seen for sample in part.samples]
    path = Part(Doing.RUNNING, "", "", 0, samples).path
    if not path:
        return None
    within = [(part, int(part.duration_ns * _share_in(part.samples, path))) for part in seen]
    overall = _share_in(samples, path)
    within += [(each, int(each.duration_ns * overall)) for each in parts if each.doing in _NOT_GOT]
    within = sorted((each for each in within if each[1] > 0), key=lambda each: -each[1])
    count = sum(_is_in(sample, path) for sample in samples)
    mixed = MixedTime(slow, path, within, count)
    return mixed if mixed.share >= LEAST_SHARE and count >= _FEWEST_SAMPLES else None


def _share_in(samples: Sequence[Sample], path: Sequence[Frame]) -> float:
    """Return in which part of the time that samples stand for they are in a function."""
    total_ns = sum(sample.duration_ns for sample in samples)
    return sum(each.duration_ns for each in samples if _is_in(each, path)) / max(1, total_ns)


def _is_in(sample: Sample, path: Sequence[Frame]) -> bool:
    frames = application_frames(sample.frames)
    return len(frames) >= len(path) and (
        frames[len(path) - 1].function == path[-1].function
        and frames[len(path) - 1].file == path[-1].file
    )
