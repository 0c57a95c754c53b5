"""What a slow request waited for longest, as its stack samples show; shared by the rules on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.durations.samples import Sample, samples_of
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.window import WindowSpan
from otel_flight.words import quoted, short_duration

_LEAST_SHARE: Final = 0.2
"""A wait for a smaller part of the request's time is not what made it slow."""
_FEWEST_SAMPLES: Final = 2
"""A wait that fewer samples show may have been over soon."""


class LongestWait(NamedTuple):
    """All that a request waited for one thing.

    Attributes:
        root: the request.
        samples: the stack samples that show the wait, by time.
        duration_ns: how much time these stand for.
    """

    root: WindowSpan
    samples: list[Sample]
    duration_ns: int

    @property
    def share(self) -> float:
        """The part of the request's time."""
        return min(1.0, self.duration_ns / self.root.duration_ns)

    @property
    def words(self) -> str:
        """Who waited, how long, and what part of its time that is, to go on with `for`."""
        return (
            f"{quoted(self.root.name)} waited at least {short_duration(self.duration_ns)} of its "
            f"{short_duration(self.root.duration_ns)} ({self.share:.0%})"
        )


def longest_wait(evidence: Evidence, kinds: AbstractSet[str]) -> LongestWait | None:
    """Return what the slow or triggering request waited for longest, of some kinds of things.

    None unless the same wait was seen twice, and for a good part of the request's time.
    """
    if evidence.trigger is None:
        return None
    root = evidence.trace.local_root(evidence.slow or evidence.trigger)
    if root.duration_ns <= 0:
        return None
    by_thing: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples_of(evidence, root):
        if sample.wait_kind in kinds:
            by_thing[sample.wait_kind, sample.wait_on].append(sample)
    if not by_thing:
        return None
    samples = max(by_thing.values(), key=_duration_ns)
    wait = LongestWait(root, samples, _duration_ns(samples))
    return wait if len(samples) >= _FEWEST_SAMPLES and wait.share >= _LEAST_SHARE else None


def _duration_ns(samples: list[Sample]) -> int:
    return sum(sample.duration_ns for sample in samples)
