"""Other requests that took far longer than theirs usually do, while the slow one was slow."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import evidence as keys
from otel_flight.records.normal_names import normal_name
from otel_flight.words import count, quoted, short_duration

_FEWEST: Final = 3
"""Fewer of them may have been slow for reasons of their own."""
_FEWEST_FOR_USUAL: Final = 5
"""With fewer requests of a name before, it is not known how long they usually take."""
_TIMES: Final = 3
"""A request suffered that took this many times as long as usual, and the next constant longer."""
_LONGER_NS: Final = 100_000_000
_MOST_NAMES: Final = 3
"""At most this many names are told, those with the most requests."""


def find_others_suffered(evidence: Evidence) -> Finding | None:
    """Count them, by name, and say since when, and whether it was over.

    Silent about fewer than three, and about those of names of which fewer than five requests ended
    before.
    """
    slow = evidence.slow
    if slow is None:
        return None
    own = evidence.trace.local_root(slow).record.span_id
    names = {root.name: "" for root in evidence.roots}
    names = {name: normal_name(name) for name in names}
    usual = _usual_ns(evidence.roots, names, slow)
    suffered = [
        root
        for root in evidence.roots
        if root.end_ns > slow.start_ns
        and root.span_id != own
        and root.duration_ns >= _least_ns(usual.get(names[root.name]))
    ]
    if len(suffered) < _FEWEST:
        return None
    by_name = Counter(names[root.name] for root in suffered)
    told = ", ".join(
        f"{number} × {quoted(name)}" for name, number in by_name.most_common(_MOST_NAMES)
    )
    left_out = len(by_name) - _MOST_NAMES
    more = f" and {count(left_out, 'more name')}" if left_out > 0 else ""
    return Finding(
        rule=RULE.name,
        summary=(
            f"{count(len(suffered), 'other request')} took at least {_TIMES} times as long as "
            f"usual: {told}{more}; {_when(suffered, slow)}"
        ),
        evidence={
            keys.SUFFERED: len(suffered),
            keys.STILL_OPEN: sum(1 for root in suffered if root.is_open),
        },
    )


def _usual_ns(
    roots: Sequence[LocalRoot], names: Mapping[str, str], slow: WindowSpan
) -> Mapping[str, float]:
    """Return how long requests of each name took that ended well before the slow one began."""
    before: defaultdict[str, list[int]] = defaultdict(list)
    for root in roots:
        if root.end_ns <= slow.start_ns and not root.is_error and not root.is_open:
            before[names[root.name]].append(root.duration_ns)
    return {
        name: median(durations)
        for name, durations in before.items()
        if len(durations) >= _FEWEST_FOR_USUAL
    }


def _least_ns(usual_ns: float | None) -> float:
    return float("inf") if usual_ns is None else max(usual_ns * _TIMES, usual_ns + _LONGER_NS)


def _when(suffered: Sequence[LocalRoot], slow: WindowSpan) -> str:
    begin = slow.start_ns - min(root.start_ns for root in suffered)
    order = "before" if begin >= 0 else "after"
    since = f"the first began {short_duration(abs(begin))} {order} {quoted(slow.name)}"
    still_open = sum(1 for root in suffered if root.is_open)
    if still_open:
        return f"{since}, and {still_open} had not ended when the incident closed"
    end = max(root.end_ns for root in suffered) - slow.end_ns
    order = "before" if end < 0 else "after"
    return f"{since}, and the last ended {short_duration(abs(end))} {order} it did"


RULE: Final = Rule(
    name="others_suffered",
    kind=Kind.CIRCUMSTANCE,
    title="Other requests suffered",
    find=find_others_suffered,
)
