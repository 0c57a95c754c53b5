"""The exception that ended the process or an asyncio task, where that is what fired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.unhandled import (
    unhandled_events,
    unhandled_evidence,
    unhandled_words,
)
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.names import exception_attributes as names
from otel_flight.names import trigger_names
from otel_flight.records.records import Frame
from otel_flight.words import one_line, quoted

_LONGEST_WHERE: Final = 120


def find_unhandled_exception(evidence: Evidence) -> Finding | None:
    """Name the exception, and the function it came from.

    Silent about threads, which are for another rule, and about exceptions that did not fire.
    """
    cause = evidence.cause_of(trigger_names.UNHANDLED_EXCEPTION)
    if cause is None:
        return None
    attributes = cause.attributes
    ended = str(attributes.get(names.ENDED, ""))
    if ended not in (names.MAIN_THREAD, names.TASK):
        return None
    frames: Sequence[Frame] = ()
    for event in unhandled_events(evidence, ended):
        if event.start_ns == evidence.manifest.fired_ns:
            frames = event.frames or frames
    words = unhandled_words(attributes, frames)
    if ended == names.MAIN_THREAD:
        summary = f"the main thread ended with {words}"
    else:
        where = one_line(str(attributes.get(names.WHERE, "")), _LONGEST_WHERE)
        summary = f"an asyncio task or callback ended with {words}"
        summary += f": {quoted(where, _LONGEST_WHERE)}" if where else ""
    return Finding(
        rule=RULE.name,
        summary=summary,
        evidence={**unhandled_evidence(attributes, frames), keys.ENDED: ended},
    )


RULE: Final = Rule(
    name="unhandled_exception",
    kind=Kind.FAILURE,
    title="Nobody handled an exception",
    find=find_unhandled_exception,
)
