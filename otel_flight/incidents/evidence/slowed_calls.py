"""Calls to one destination that took far longer than calls to it did before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.past_spans import destination, is_call
from otel_flight.incidents.evidence.view import EvidenceView, time_within
from otel_flight.incidents.window import WindowSpan

_FEWEST_BEFORE: Final = 10
_TIMES_USUAL: Final = 3
_TIMES_SLOWEST: Final = 1.5
"""So many times longer than all but the slowest twentieth of the calls before."""
_LEAST_NS: Final = 10_000_000


class SlowedCalls(NamedTuple):
    """Calls to one destination in the slow request."""

    spans: Sequence[WindowSpan]
    """By start; each far slower than usual."""
    destination: str
    """Whom they called; empty when their attributes do not say."""
    taken_ns: int
    """How much of the slow span's time they took."""
    usual_ns: int
    """The median of the calls before."""
    before: int
    """How many calls before that is taken from."""
    others_ns: Sequence[int]
    """How long the calls of other requests took that ended later than the slow span began."""

    @property
    def excess_ns(self) -> int:
        """How much of the slow span's time they would not have taken as usual."""
        return max(0, self.taken_ns - self.usual_ns * len(self.spans))


def slowed_calls(view: EvidenceView) -> SlowedCalls | None:
    """Return the calls in the slow request whose slowness cost it most, None without any.

    What is usual is taken from the other requests' calls of the same name to the same destination
    that ended before the slow request began; with few of those, nothing is known to be usual.
    """
    if view.slow is None:
        return None
    groups: defaultdict[tuple[str, str], list[WindowSpan]] = defaultdict(list)
    for span in view.descendants(view.slow):
        if is_call(span.record):
            groups[span.record.name, destination(span.record)].append(span)
    slowed = (_slowed(view, view.slow, group) for group in groups.values())
    return max(filter(None, slowed), key=lambda each: each.excess_ns, default=None)


def _slowed(
    view: EvidenceView, slow: WindowSpan, group: Sequence[WindowSpan]
) -> SlowedCalls | None:
    like, began = group[0].record, slow.record.start_ns
    before = view.past.durations_ns(like, before_ns=began)
    if len(before) < _FEWEST_BEFORE:
        return None
    usual = median(before)
    most = max(_TIMES_USUAL * usual, _TIMES_SLOWEST * quantiles(before, n=20)[-1], _LEAST_NS)
    spans = sorted(
        (span for span in group if span.duration_ns > most), key=lambda span: span.record.start_ns
    )
    if not spans:
        return None
    return SlowedCalls(
        spans=spans,
        destination=destination(like),
        taken_ns=time_within(spans, slow),
        usual_ns=int(usual),
        before=len(before),
        others_ns=view.past.durations_ns(like, after_ns=began),
    )
