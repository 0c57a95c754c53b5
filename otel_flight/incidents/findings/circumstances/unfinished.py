"""A trigger that never ended while the incident was open: it hangs, or takes very long."""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text
from otel_flight.words import quoted, short_duration

_MOST_NAMED: Final = 3
_MOST_LISTED: Final = 20
"""The evidence lists the names of at most this many open spans."""


def find_unfinished(evidence: Evidence) -> Finding | None:
    """Say that the trigger's span is still open, and what it is in; silent when it has ended."""
    trigger = evidence.trigger
    if trigger is None or not trigger.is_open:
        return None
    text = (
        f"{quoted(trigger.name)} was still open when the incident closed, "
        f"{short_duration(trigger.duration_ns)} after it started"
    )
    innermost = [
        span
        for span in evidence.trace.descendants(trigger)
        if span.is_open and not any(child.is_open for child in evidence.trace.children(span))
    ]
    innermost.sort(key=lambda span: span.start_ns, reverse=True)
    if innermost:
        names = ", ".join(quoted(span.name) for span in innermost[:_MOST_NAMED])
        more = len(innermost) - _MOST_NAMED
        text += f"; inside it {names}{f' and {more} more' if more > 0 else ''}"
        text += " had not ended either"
    return Finding(
        rule=RULE.name,
        summary=text,
        evidence={
            keys.SPAN_ID: span_text(trigger.record.span_id),
            keys.DURATION_NS: trigger.duration_ns,
            keys.OPEN_BELOW: [span.name for span in innermost[:_MOST_LISTED]],
        },
    )


RULE: Final = Rule(
    name="unfinished",
    kind=Kind.CIRCUMSTANCE,
    title="It never ended",
    find=find_unfinished,
)
