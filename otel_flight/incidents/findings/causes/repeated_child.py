"""One query a row: a slow request that made the same small call again and again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from otel_flight.ground.intervals import union_ns
from otel_flight.incidents.evidence.callers import words_of_loop
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.attempts import attempts_below
from otel_flight.incidents.evidence.usual.slowed_calls import slowed_calls
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text
from otel_flight.words import quoted, short_duration

_FEWEST: Final = 8
"""Fewer calls of one name under one parent are not one a row."""
_LEAST_SHARE: Final = 0.3
"""Calls that take a smaller part of the request's time are not what made it slow."""
_IN_A_ROW: Final = 0.9
"""Calls ran one after the other where this part of their durations remains without overlaps."""


def find_repeated_child(evidence: Evidence) -> Finding | None:
    """Name the call, how often it was made, and by whom, and its share of the slow span.

    Those under one parent count. Silent when one of the calls takes most of the time, which
    `slow_child` then names, and about calls that were made again because they had failed or that
    are far slower than usual: those are for `retries` and `slow_downstream`.
    """
    slow = evidence.slow
    if slow is None or slow.duration_ns <= 0:
        return None
    of_others = _of_other_rules(evidence, slow)
    groups = [
        (union_ns(group, slow), parent, group)
        for parent, group in _groups(evidence, slow)
        if sum(span.record.span_id in of_others for span in group) * 2 < len(group)
    ]
    taken, parent, group = max(groups, key=lambda each: each[0], default=(0, slow, []))
    share = taken / slow.duration_ns
    longest = max((span.duration_ns for span in group), default=0)
    if share < _LEAST_SHARE or longest * 2 >= taken:
        return None
    return Finding(
        rule=RULE.name,
        summary=_summary(slow, parent, group, taken, words_of_loop(evidence, group)),
        explained_share=share,
        evidence={
            keys.SPAN: group[0].name,
            keys.PARENT_SPAN_ID: span_text(parent.record.span_id),
            keys.CALLS: len(group),
            keys.DURATION_NS: taken,
            keys.LONGEST_NS: longest,
        },
    )


def _of_other_rules(evidence: Evidence, slow: WindowSpan) -> set[int]:
    calls = slowed_calls(evidence)
    slowed = calls.spans if calls is not None else ()
    tried = (span for attempts in attempts_below(evidence, slow) for span in attempts.spans)
    return {span.record.span_id for span in (*slowed, *tried)}


def _groups(
    evidence: Evidence, slow: WindowSpan
) -> Iterator[tuple[WindowSpan, Sequence[WindowSpan]]]:
    for parent in (slow, *evidence.trace.descendants(slow)):
        by_name: defaultdict[str, list[WindowSpan]] = defaultdict(list)
        for child in evidence.trace.children(parent):
            by_name[child.name].append(child)
        for group in by_name.values():
            if len(group) >= _FEWEST:
                yield parent, group


def _summary(
    slow: WindowSpan, parent: WindowSpan, group: Sequence[WindowSpan], taken: int, caller: str
) -> str:
    one_by_one = sum(span.duration_ns for span in group) * _IN_A_ROW <= taken
    order = ", one after the other" if one_by_one else ""
    text = (
        f"{quoted(group[0].name)} ran {len(group)} times in {quoted(parent.name)}"
        f"{order}: {short_duration(taken)} of the {short_duration(slow.duration_ns)} in all "
        f"({taken / slow.duration_ns:.0%}){caller}"
    )
    failed = sum(span.is_error for span in group)
    return f"{text}; {failed} of them failed" if failed else text


RULE: Final = Rule(
    name="repeated_child",
    kind=Kind.CAUSE,
    title="One query a row",
    find=find_repeated_child,
)
