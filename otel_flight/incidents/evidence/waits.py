"""What a slow request waited for longest, as its stack samples show; shared by the rules on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from otel_flight.incidents.evidence.samples import Sample, samples_of
from otel_flight.incidents.evidence.view import EvidenceView
from otel_flight.incidents.window import WindowSpan


class LongestWait(NamedTuple):
    """All that a request waited for one thing.

    Attributes:
        root: the request.
        samples: that show it, by time.
        duration_ns: for which they stand.
    """

    root: WindowSpan
    samples: list[Sample]
    duration_ns: int

    @property
    def share(self) -> float:
        """The part of the request's time."""
        return min(1.0, self.duration_ns / self.root.duration_ns)


def longest_wait(view: EvidenceView, kinds: AbstractSet[str]) -> LongestWait | None:
    """Return what the slow or triggering request waited for longest, of some kinds of things."""
    if view.trigger is None:
        return None
    root = view.local_root(view.slow or view.trigger)
    if root.duration_ns <= 0:
        return None
    by_thing: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples_of(view, root):
        if sample.wait_kind in kinds:
            by_thing[sample.wait_kind, sample.wait_on].append(sample)
    if not by_thing:
        return None
    samples = max(by_thing.values(), key=_duration)
    return LongestWait(root, samples, _duration(samples))


def _duration(samples: list[Sample]) -> int:
    return sum(sample.duration_ns for sample in samples)
