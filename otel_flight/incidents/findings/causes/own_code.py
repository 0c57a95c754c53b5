"""A function of the service's own that took the time: it computed, or was in one native call."""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.durations.company import others_there
from otel_flight.incidents.evidence.durations.library_calls import words_of_calls
from otel_flight.incidents.evidence.durations.own_time import longest_of, words_of_path
from otel_flight.incidents.evidence.durations.time_parts import Doing
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text
from otel_flight.words import count, quoted


def find_own_code(evidence: Evidence) -> Finding | None:
    """Name the function that the stack samples show, its line, and who called it.

    Silent about less than a third of the time, and about what a single sample shows. The innermost
    function is named that accounts for most of its caller's time. Time in pauses, in calls to other
    services and without a CPU does not count. Other requests that were seen in it are counted.
    """
    own = longest_of(evidence, {Doing.RUNNING})
    if own is None:
        return None
    calls = words_of_calls(own.part)
    others = others_there(evidence, own.part.samples)
    there = f", as {count(others, 'other request')} did" if others else ""
    return Finding(
        rule=RULE.name,
        summary=f"{quoted(own.span.name)} spent {own.words} in {words_of_path(own.path)}{calls}"
        f"{there}",
        explained_share=own.share,
        evidence={
            keys.SPAN_ID: span_text(own.span.record.span_id),
            keys.DURATION_NS: own.part.duration_ns,
            keys.SAMPLES: len(own.part.samples),
            **({keys.OTHER_REQUESTS: others} if others else {}),
            **own.location,
        },
    )


RULE: Final = Rule(
    name="own_code",
    kind=Kind.CAUSE,
    title="A function took the time",
    find=find_own_code,
)
