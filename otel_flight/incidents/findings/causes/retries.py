"""A call that failed and was made again: the time went into its attempts and the waits between."""

from __future__ import annotations

from typing import Any, Final

from otel_flight.ground.intervals import Interval, overlap_ns, union_ns
from otel_flight.incidents.evidence.callers import words_of_loop
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.attempts import Attempts, attempts_below, has_failed
from otel_flight.incidents.evidence.failures.raised import failure_words
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text
from otel_flight.words import quoted, short_duration

_LEAST_SHARE: Final = 0.3
"""Attempts that take a smaller part of the request's time are not what made it slow."""


def find_retries(evidence: Evidence) -> Finding | None:
    """Name the call, how often it was tried, how it failed, and its share of the slow span.

    Of a failure the attempts count only when they were all in vain: one that succeeded in the end
    is not why. Silent on slowness when they took little of it.
    """
    top = evidence.slow or evidence.trigger
    if top is None or top.duration_ns <= 0:
        return None
    found = [each for each in attempts_below(evidence, top) if evidence.slow or each.last_failed]
    attempts = max(found, key=lambda each: _taken(each, top), default=None)
    if attempts is None:
        return None
    share = _taken(attempts, top) / top.duration_ns
    if evidence.slow is not None and share < _LEAST_SHARE:
        return None
    failed = [span for span in attempts.spans if has_failed(span)]
    between = _taken(attempts, top) - union_ns(attempts.spans, top)
    return Finding(
        rule=RULE.name,
        summary=_summary(evidence, attempts, failed, top, between),
        explained_share=share if evidence.slow is not None else 0.0,
        evidence=_evidence(attempts, failed, between),
    )


def _taken(attempts: Attempts, top: WindowSpan) -> int:
    """Return how long it was from the first attempt's start to the last one's end, within `top`."""
    return overlap_ns(Interval(attempts.spans[0].start_ns, attempts.spans[-1].end_ns), top)


def _summary(
    evidence: Evidence, attempts: Attempts, failed: list[WindowSpan], top: WindowSpan, between: int
) -> str:
    spans = attempts.spans
    text = f"{quoted(spans[0].name)} was tried {len(spans)} times"
    text += f" in {quoted(attempts.parent.name)}"
    if evidence.slow is not None:
        taken = _taken(attempts, top)
        text += (
            f": {short_duration(taken)} of the {short_duration(top.duration_ns)} in all "
            f"({taken / top.duration_ns:.0%}), {short_duration(between)} of it between the attempts"
        )
    return f"{text}{words_of_loop(evidence, spans)}; {_outcome(attempts, failed)}"


def _outcome(attempts: Attempts, failed: list[WindowSpan]) -> str:
    words = failure_words(failed[-1])
    reason = f" with {words}" if words else ""
    if attempts.last_failed:
        return f"each failed, the last one{reason}"
    first = "the first one" if len(failed) == 1 else f"the first {len(failed)}"
    end = "the last one is still open" if attempts.spans[-1].is_open else "the last one succeeded"
    return f"{first} failed{reason}, {end}"


def _evidence(attempts: Attempts, failed: list[WindowSpan], between: int) -> dict[str, Any]:
    last = attempts.spans[-1]
    return {
        keys.SPAN_ID: span_text(last.record.span_id),
        keys.SPAN: last.name,
        keys.PARENT_SPAN_ID: span_text(attempts.parent.record.span_id),
        keys.ATTEMPTS: len(attempts.spans),
        keys.FAILED: len(failed),
        keys.BETWEEN_NS: between,
        keys.FAILURE: failure_words(failed[-1]),
    }


RULE: Final = Rule(
    name="retries",
    kind=Kind.CAUSE,
    title="A call was tried again and again",
    find=find_retries,
)
