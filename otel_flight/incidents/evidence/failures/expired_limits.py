"""Time limits that were over while a request went on, as its stack samples show."""

from __future__ import annotations

from typing import Final, NamedTuple

from otel_flight.incidents.evidence.durations.samples import Sample, samples_of
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import attributes as names

_SAME_NS: Final = 5_000_000
"""Two samples show the same limit where its ends, as they tell them, are no further apart."""
_SAMPLES_MISSED: Final = 2
"""Work under a limit was seen at most so many times the usual gap between samples before its
end: else it may have ended by itself."""


class ExpiredLimit(NamedTuple):
    """A limit that cut work off.

    Attributes:
        place: the function that set it.
        end_ns: when it was over.
        last: what was seen last of the work.
        under_ns: how much of the request's time was seen to pass under it.
    """

    place: str
    end_ns: int
    last: Sample
    under_ns: int


def expired_limit(evidence: Evidence) -> ExpiredLimit | None:
    """Return the limit that cut off most of the slow or triggering request's work."""
    span = evidence.slow or evidence.trigger
    if span is None:
        return None
    root = evidence.trace.local_root(span)
    samples = samples_of(evidence, root)
    found = (_expired(root, samples, at) for at in range(len(samples)))
    return max(filter(None, found), key=lambda each: each.under_ns, default=None)


def _expired(root: WindowSpan, samples: list[Sample], at: int) -> ExpiredLimit | None:
    """Return the limit of a sample if that is the last one under it."""
    last, end_ns = samples[at], _end_ns(samples[at])
    if not end_ns or not last.start_ns < end_ns <= root.end_ns:
        return None
    under = [each for each in samples if abs(_end_ns(each) - end_ns) <= _SAME_NS]
    moment_ns = last.event.record.start_ns
    gap_ns = 2 * (moment_ns - last.start_ns) or _SAME_NS
    if under[-1] is not last or end_ns - moment_ns > gap_ns * _SAMPLES_MISSED:
        return None
    place = str(last.event.record.attributes.get(names.LIMIT_PLACE, ""))
    return ExpiredLimit(place, end_ns, last, sum(each.duration_ns for each in under))


def _end_ns(sample: Sample) -> int:
    record = sample.event.record
    left_ns = record.attributes.get(names.LIMIT_LEFT)
    return 0 if left_ns is None else record.start_ns + int(left_ns)
