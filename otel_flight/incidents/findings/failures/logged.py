"""The log record that fired: what was said, where, and of which exception."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import location, place_in
from otel_flight.incidents.evidence.unhandled import LONGEST_PLACE, unhandled_words
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import exception_attributes, log_attributes, source_names, trigger_names
from otel_flight.records.records import Frame
from otel_flight.words import one_line, quoted

_LONGEST_MESSAGE: Final = 300
_CODE_PREFIX: Final = "code."
"""The names of attributes that say where in the program something was begin with this."""


def find_logged(evidence: Evidence) -> Finding | None:
    """Repeat the record, with the line of the program that logged it; silent of all others."""
    cause = evidence.cause_of(trigger_names.LOG_RECORD)
    if cause is None:
        return None
    said = cause.attributes
    logger = str(said.get(log_attributes.LOGGER, ""))
    severity = str(said.get(log_attributes.SEVERITY, ""))
    message = one_line(str(said.get(log_attributes.MESSAGE, "")), _LONGEST_MESSAGE)
    where = place_in(said)
    summary = f"{quoted(logger)} logged {severity}: {message}"
    summary += f", in {quoted(where, LONGEST_PLACE)}" if where else ""
    if exception_attributes.TYPE in said:
        # The place is the log call's, and not the exception's.
        of_exception = {k: v for k, v in said.items() if not k.startswith(_CODE_PREFIX)}
        summary += f"; it was about {unhandled_words(of_exception, _frames(evidence, said))}"
    return Finding(
        rule=RULE.name,
        summary=summary,
        evidence={
            log_attributes.LOGGER: logger,
            log_attributes.SEVERITY: severity,
            log_attributes.MESSAGE: message,
            **location(where),
        },
    )


def _frames(evidence: Evidence, said: dict[str, Any]) -> Sequence[Frame]:
    fired_ns = evidence.manifest.fired_ns
    for event in evidence.events(source_names.LOGS):
        is_it = event.start_ns == fired_ns and event.record.attributes == said
        if is_it and event.stack is not None:
            return event.frames
    return ()


RULE: Final = Rule(
    name="logged",
    kind=Kind.FAILURE,
    title="It said so in the log",
    find=find_logged,
)
