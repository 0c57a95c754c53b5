"""Another service, a database, a queue that answers far slower than it did a moment ago."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

from otel_flight.incidents.evidence.callers import words_of_loop
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.usual.slowed_calls import SlowedCalls, slowed_calls
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text
from otel_flight.words import one_line, quoted, short_duration

_LEAST_SHARE: Final = 0.3
"""Calls that cost the request a smaller part of its time are not what made it slow."""
_LONGEST_NAME: Final = 100


def find_slow_downstream(evidence: Evidence) -> Finding | None:
    """Name whom the slow request called, how long that took, and how long it took before.

    Silent when it has not been called often enough before to know.
    """
    slow, calls = evidence.slow, slowed_calls(evidence)
    if slow is None or calls is None or slow.duration_ns <= 0:
        return None
    share = calls.excess_ns / slow.duration_ns
    if share < _LEAST_SHARE:
        return None
    return Finding(
        rule=RULE.name,
        summary=_summary(slow, calls, words_of_loop(evidence, calls.spans)),
        explained_share=share,
        evidence=_evidence(calls),
    )


def _longest(calls: SlowedCalls) -> WindowSpan:
    return max(calls.spans, key=lambda span: span.duration_ns)


def _summary(slow: WindowSpan, calls: SlowedCalls, caller: str) -> str:
    what = quoted(calls.spans[0].name)
    if calls.destination:
        what += f" to {one_line(calls.destination, _LONGEST_NAME)}"
    number = len(calls.spans)
    what = what if number == 1 else f"{number} × {what}"
    verb = "was open for" if any(span.is_open for span in calls.spans) else "took"
    text = (
        f"{what} {verb} {short_duration(calls.taken_ns)} of the "
        f"{short_duration(slow.duration_ns)} of {quoted(slow.name)} "
        f"({calls.taken_ns / slow.duration_ns:.0%}){caller}; the {calls.before} calls before took "
        f"{short_duration(calls.usual_ns)} each"
    )
    if calls.others_ns:
        text += f", those of other requests meanwhile {short_duration(median(calls.others_ns))}"
    return text


def _evidence(calls: SlowedCalls) -> dict[str, Any]:
    longest = _longest(calls)
    return {
        keys.SPAN_ID: span_text(longest.record.span_id),
        keys.SPAN: longest.name,
        keys.DESTINATION: calls.destination,
        keys.CALLS: len(calls.spans),
        keys.DURATION_NS: calls.taken_ns,
        keys.USUAL_DURATION_NS: calls.usual_ns,
        keys.CALLS_BEFORE: calls.before,
        keys.OTHER_CALLS: len(calls.others_ns),
    }


RULE: Final = Rule(
    name="slow_downstream",
    kind=Kind.CAUSE,
    title="Another service became slow",
    find=find_slow_downstream,
)
