"""One query a row: a slow request that made the same small call again and again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from otel_flight.incidents.evidence.attempts import attempts_below
from otel_flight.incidents.evidence.slowed_calls import slowed_calls
from otel_flight.incidents.evidence.view import (
    STATUS_ERROR,
    EvidenceView,
    quoted,
    short_duration,
    span_id_text,
    time_within,
)
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan

_FEWEST: Final = 8
_LEAST_SHARE: Final = 0.3
_IN_A_ROW: Final = 0.9
"""Part of the single durations that must remain when overlaps are taken out."""


def find_repeated_child(view: EvidenceView) -> Finding | None:
    """Name the call, how often it was made under one parent, and its share of the slow span.

    Silent when one of the calls takes most of the time, which `slow_child` then names, and about
    calls that were made again because they had failed or that are far slower than usual: those are
    for `retries` and `slow_downstream`.
    """
    slow = view.slow
    if slow is None or slow.duration_ns <= 0:
        return None
    of_others = _of_other_rules(view, slow)
    groups = [
        (time_within(group, slow), parent, group)
        for parent, group in _groups(view, slow)
        if sum(span.record.span_id in of_others for span in group) * 2 < len(group)
    ]
    taken, parent, group = max(groups, key=lambda each: each[0], default=(0, slow, []))
    share = taken / slow.duration_ns
    longest = max((span.duration_ns for span in group), default=0)
    if share < _LEAST_SHARE or longest * 2 >= taken:
        return None
    return Finding(
        rule="repeated_child",
        summary=_summary(slow, parent, group, taken),
        explained_share=share,
        evidence={
            "span": group[0].record.name,
            "parent_span_id": span_id_text(parent),
            "calls": len(group),
            "duration_ns": taken,
            "longest_ns": longest,
        },
    )


def _of_other_rules(view: EvidenceView, slow: WindowSpan) -> set[int]:
    calls = slowed_calls(view)
    slowed = calls.spans if calls is not None else ()
    tried = (span for attempts in attempts_below(view, slow) for span in attempts.spans)
    return {span.record.span_id for span in (*slowed, *tried)}


def _groups(
    view: EvidenceView, slow: WindowSpan
) -> Iterator[tuple[WindowSpan, Sequence[WindowSpan]]]:
    for parent in (slow, *view.descendants(slow)):
        by_name: defaultdict[str, list[WindowSpan]] = defaultdict(list)
        for child in view.children(parent):
            by_name[child.record.name].append(child)
        for group in by_name.values():
            if len(group) >= _FEWEST:
                yield parent, group


def _summary(slow: WindowSpan, parent: WindowSpan, group: Sequence[WindowSpan], taken: int) -> str:
    one_by_one = sum(span.duration_ns for span in group) * _IN_A_ROW <= taken
    order = ", one after the other" if one_by_one else ""
    text = (
        f"{quoted(group[0].record.name)} ran {len(group)} times in {quoted(parent.record.name)}"
        f"{order}: {short_duration(taken)} of the {short_duration(slow.duration_ns)} in all "
        f"({taken / slow.duration_ns:.0%})"
    )
    failed = sum(span.record.status_code == STATUS_ERROR for span in group)
    return f"{text}; {failed} of them failed" if failed else text
