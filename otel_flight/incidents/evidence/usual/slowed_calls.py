"""Calls to one destination that took far longer than calls to it did before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Final, NamedTuple

from otel_flight.ground.intervals import union_ns
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.usual.past_spans import destination, is_call
from otel_flight.incidents.window import WindowSpan

_FEWEST_BEFORE: Final = 10
"""With fewer calls before the slow request, nothing is known to be usual."""
_TIMES_USUAL: Final = 3
"""A slowed call takes more than this many times the median of the calls before."""
_TIMES_SLOWEST: Final = 1.5
"""A slowed call takes more than this many times what all but the slowest twentieth of them took."""
_LEAST_NS: Final = 10_000_000
"""A slowed call takes more than this many nanoseconds, whatever is usual."""


class SlowedCalls(NamedTuple):
    """Calls to one destination in the slow request."""

    spans: Sequence[WindowSpan]
    """The calls by start, each of them far slower than usual."""
    destination: str
    """Whom they called; empty when their attributes do not say."""
    taken_ns: int
    """How much of the slow span's time they took."""
    usual_ns: int
    """The median of the calls before."""
    before: int
    """How many calls before the median is taken from."""
    others_ns: Sequence[int]
    """How long the calls of other requests took that ended later than the slow span began."""

    @property
    def excess_ns(self) -> int:
        """How much of the slow span's time they would not have taken as usual."""
        return max(0, self.taken_ns - self.usual_ns * len(self.spans))


def slowed_calls(evidence: Evidence) -> SlowedCalls | None:
    """Return the calls in the slow request whose slowness cost it most, None without any.

    What is usual is taken from the other requests' calls of the same name to the same destination
    that ended before the slow request began; with few of those, nothing is known to be usual.
    """
    if evidence.slow is None:
        return None
    groups: defaultdict[tuple[str, str], list[WindowSpan]] = defaultdict(list)
    for span in evidence.trace.descendants(evidence.slow):
        if is_call(span.record):
            groups[span.name, destination(span.record)].append(span)
    slowed = (_slowed(evidence, evidence.slow, group) for group in groups.values())
    return max(filter(None, slowed), key=lambda each: each.excess_ns, default=None)


def _slowed(
    evidence: Evidence, slow: WindowSpan, group: Sequence[WindowSpan]
) -> SlowedCalls | None:
    like, began = group[0].record, slow.start_ns
    before = evidence.past.durations_ns(like, before_ns=began)
    if len(before) < _FEWEST_BEFORE:
        return None
    usual = median(before)
    most = max(_TIMES_USUAL * usual, _TIMES_SLOWEST * quantiles(before, n=20)[-1], _LEAST_NS)
    spans = sorted(
        (span for span in group if span.duration_ns > most), key=lambda span: span.start_ns
    )
    if not spans:
        return None
    return SlowedCalls(
        spans=spans,
        destination=destination(like),
        taken_ns=union_ns(spans, slow),
        usual_ns=int(usual),
        before=len(before),
        others_ns=evidence.past.durations_ns(like, after_ns=began),
    )
