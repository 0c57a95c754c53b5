"""The log record that fired: what was said, where, and of which exception."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.logged import LONGEST_MESSAGE, frames_of, logged_words
from otel_flight.incidents.evidence.places import location, place_in
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import log_attributes, source_names, trigger_names
from otel_flight.records.records import Frame
from otel_flight.words import one_line


def find_logged(evidence: Evidence) -> Finding | None:
    """Repeat the record, with the line of the program that logged it; silent of all others."""
    cause = evidence.cause_of(trigger_names.LOG_RECORD)
    if cause is None:
        return None
    said = cause.attributes
    return Finding(
        rule=RULE.name,
        summary=logged_words(said, _frames(evidence, said)),
        evidence={
            log_attributes.LOGGER: str(said.get(log_attributes.LOGGER, "")),
            log_attributes.SEVERITY: str(said.get(log_attributes.SEVERITY, "")),
            log_attributes.MESSAGE: one_line(
                str(said.get(log_attributes.MESSAGE, "")), LONGEST_MESSAGE
            ),
            **location(place_in(said)),
        },
    )


def _frames(evidence: Evidence, said: dict[str, Any]) -> Sequence[Frame]:
    fired_ns = evidence.manifest.fired_ns
    for event in evidence.events(source_names.LOGS):
        if event.start_ns == fired_ns and event.record.attributes == said:
            return frames_of(event)
    return ()


RULE: Final = Rule(
    name="logged",
    kind=Kind.FAILURE,
    title="It said so in the log",
    find=find_logged,
)
