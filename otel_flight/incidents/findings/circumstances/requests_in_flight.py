"""A pile-up: far more requests open at the trigger than earlier in the window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Final

from otel_flight.ground.intervals import Interval, overlap_ns
from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import KIND_SERVER
from otel_flight.names import evidence as keys
from otel_flight.words import quoted

_FEWEST: Final = 4
"""Fewer open requests are no pile-up."""
_SHORTEST_BASELINE_NS: Final = 5_000_000_000
"""In a shorter time before the trigger, nothing is known to be usual."""
_NOTICED_AFTER_NS: Final = 10_000_000_000
"""A trigger without a span (a health check, a signal) comes this many nanoseconds after things went
wrong, at most."""
_FEWEST_BEFORE: Final = 20
"""With fewer requests before the trigger, nothing is known to be usual."""
_TIMES_AVERAGE: Final = 3
"""A pile-up has at least this many times the average of before."""
_DEVIATIONS: Final = 4
"""Arrivals at random vary by the root of their average; what is above it by this many roots is no
chance."""
_LONGEST_SHARE: Final = 0.05
"""A level that the baseline held for longer than this is nothing unusual."""
_MOST_NAMED: Final = 3
_MOST_COUNTED: Final = 20
"""The evidence has at most this many names, the most frequent ones."""


def find_requests_in_flight(evidence: Evidence) -> Finding | None:
    """Say how many other local roots were open at the trigger, and which.

    Silent unless that is far above the time before the trigger's own request began, and as long as
    that time is too short to know what is usual.
    """
    trigger, fired = evidence.trigger, evidence.manifest.fired_ns
    own = trigger.record.trace_id if trigger is not None else 0
    others = [root for root in evidence.roots if root.trace_id != own]
    open_then = [root for root in others if root.start_ns <= fired < root.end_ns]
    end = trigger.start_ns if trigger is not None else fired - _NOTICED_AFTER_NS
    baseline = Interval(evidence.manifest.coverage.start_ns, end)
    before = [root for root in others if root.start_ns < end]
    if not baseline.start_ns or baseline.duration_ns < _SHORTEST_BASELINE_NS:
        return None
    if len(before) < _FEWEST_BEFORE:
        return None
    now = len(open_then)
    average, share_at_level = _levels(before, baseline, now)
    usual = max(_TIMES_AVERAGE * average, average + _DEVIATIONS * sqrt(average))
    if now < max(_FEWEST, usual) or share_at_level > _LONGEST_SHARE:
        return None
    return Finding(
        rule=RULE.name,
        summary=(
            f"{now} other {_noun(open_then)} were open at the trigger, against {average:.1f} on "
            f"average before: {_names(open_then)}"
        ),
        evidence={
            keys.OPEN_AT_TRIGGER: now,
            keys.AVERAGE_BEFORE: round(average, 2),
            keys.NAMES: dict(Counter(root.name for root in open_then).most_common(_MOST_COUNTED)),
        },
    )


def _levels(roots: Iterable[LocalRoot], interval: Interval, level: int) -> tuple[float, float]:
    """Return how many were open on average, and for what share of the time at least `level`."""
    steps = []
    for root in roots:
        if overlap_ns(root, interval):
            steps.append((max(root.start_ns, interval.start_ns), 1))
            steps.append((min(root.end_ns, interval.end_ns), -1))
    steps.sort()
    count = area = at_level = 0
    last = interval.start_ns
    for moment, change in steps:
        area += count * (moment - last)
        at_level += moment - last if count >= level else 0
        last = moment
        count += change
    return area / interval.duration_ns, at_level / interval.duration_ns


def _noun(roots: Sequence[LocalRoot]) -> str:
    return "requests" if all(root.kind == KIND_SERVER for root in roots) else "requests and jobs"


def _names(roots: Sequence[LocalRoot]) -> str:
    ranked = Counter(root.name for root in roots).most_common()
    text = ", ".join(f"{count} × {quoted(name)}" for name, count in ranked[:_MOST_NAMED])
    rest = sum(count for _, count in ranked[_MOST_NAMED:])
    return f"{text}, {rest} more" if rest else text


RULE: Final = Rule(
    name="requests_in_flight",
    kind=Kind.CIRCUMSTANCE,
    title="Requests piled up",
    find=find_requests_in_flight,
)
