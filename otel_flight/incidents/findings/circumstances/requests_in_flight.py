"""A pile-up: far more requests open at the trigger than earlier in the window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Final

from otel_flight.incidents.evidence.view import EvidenceView, LocalRoot, quoted
from otel_flight.incidents.manifest import Finding

_FEWEST: Final = 4
_SHORTEST_BASELINE_NS: Final = 5_000_000_000
_NOTICED_AFTER_NS: Final = 10_000_000_000
"""A trigger without a span (a health check, a signal) comes when things went wrong a while ago."""
_FEWEST_BEFORE: Final = 20
_TIMES_AVERAGE: Final = 3
_DEVIATIONS: Final = 4
"""Arrivals at random vary by the root of their average: so many of these above it are no chance."""
_LONGEST_SHARE: Final = 0.05
"""A level that the baseline held for longer than this is nothing unusual."""
_MOST_NAMED: Final = 3
_KIND_SERVER: Final = 1


def find_requests_in_flight(view: EvidenceView) -> Finding | None:
    """Say how many other local roots were open at the trigger, and which.

    Silent unless that is far above the time before the trigger's own request began, and as long as
    that time is too short to know what is usual.
    """
    cause = view.incident.manifest.trigger
    fired = (cause.time_ns if cause is not None else 0) or view.incident.manifest.opened_ns
    own = view.trigger.record.trace_id if view.trigger is not None else 0
    others = [root for root in view.roots if root.trace_id != own]
    open_then = [root for root in others if root.start_ns <= fired < root.end_ns]
    end = view.trigger.record.start_ns if view.trigger is not None else fired - _NOTICED_AFTER_NS
    start = view.incident.manifest.coverage.start_ns
    before = [root for root in others if root.start_ns < end]
    if not start or end - start < _SHORTEST_BASELINE_NS or len(before) < _FEWEST_BEFORE:
        return None
    now = len(open_then)
    average, share_at_level = _baseline(before, start, end, now)
    usual = max(_TIMES_AVERAGE * average, average + _DEVIATIONS * sqrt(average))
    if now < max(_FEWEST, usual) or share_at_level > _LONGEST_SHARE:
        return None
    return Finding(
        rule="requests_in_flight",
        summary=(
            f"{now} other {_noun(open_then)} were open at the trigger, against {average:.1f} on "
            f"average before: {_names(open_then)}"
        ),
        evidence={
            "open_at_trigger": now,
            "average_before": round(average, 2),
            "names": dict(Counter(root.name for root in open_then).most_common(20)),
        },
    )


def _baseline(roots: Iterable[LocalRoot], start: int, end: int, level: int) -> tuple[float, float]:
    """Return how many were open on average, and for what share of the time at least `level`."""
    steps = []
    for root in roots:
        if root.end_ns > start and root.start_ns < end:
            steps.append((max(root.start_ns, start), 1))
            steps.append((min(root.end_ns, end), -1))
    steps.sort()
    count = area = at_level = 0
    last = start
    for moment, change in steps:
        area += count * (moment - last)
        at_level += moment - last if count >= level else 0
        last = moment
        count += change
    return area / (end - start), at_level / (end - start)


def _noun(roots: Sequence[LocalRoot]) -> str:
    return "requests" if all(root.kind == _KIND_SERVER for root in roots) else "requests and jobs"


def _names(roots: Sequence[LocalRoot]) -> str:
    ranked = Counter(root.name for root in roots).most_common()
    text = ", ".join(f"{count} × {quoted(name)}" for name, count in ranked[:_MOST_NAMED])
    rest = sum(count for _, count in ranked[_MOST_NAMED:])
    return f"{text}, {rest} more" if rest else text
