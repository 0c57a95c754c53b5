"""The log record that fired: what was said, where, and of which exception."""

from __future__ import annotations

from typing import Any, Final

from otel_flight.incidents.evidence.unhandled import exception_words, fired_ns
from otel_flight.incidents.evidence.view import EvidenceView, one_line, quoted
from otel_flight.incidents.manifest import Finding
from otel_flight.interpreter.code_origin import short_file
from otel_flight.names import exception_attributes, log_attributes, source_names
from otel_flight.records.records import Frame

TRIGGER: Final = "log_record"
_LONGEST_MESSAGE: Final = 300


def find_logged(view: EvidenceView) -> Finding | None:
    """Repeat the record, with the line of the program that logged it; silent of all others."""
    cause = view.incident.manifest.trigger
    if cause is None or cause.trigger != TRIGGER:
        return None
    said = cause.attributes
    logger = str(said.get(log_attributes.LOGGER, ""))
    severity = str(said.get(log_attributes.SEVERITY, ""))
    message = one_line(str(said.get(log_attributes.MESSAGE, "")), _LONGEST_MESSAGE)
    where = _where(said)
    summary = f"{quoted(logger)} logged {severity}: {message}"
    summary += f", in {quoted(where, 160)}" if where else ""
    if exception_attributes.TYPE in said:
        summary += f"; it was about {exception_words(_exception(said), _frames(view, said))}"
    return Finding(
        rule="logged",
        summary=summary,
        evidence={
            log_attributes.LOGGER: logger,
            log_attributes.SEVERITY: severity,
            log_attributes.MESSAGE: message,
            **({"code.location": where} if where else {}),
        },
    )


def _where(said: dict[str, Any]) -> str:
    function, file = said.get("code.function.name"), said.get("code.file.path")
    return f"{function} ({short_file(str(file))}:{said.get('code.line.number')})" if file else ""


def _exception(said: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of the exception; the place is the log call's and not its."""
    return {key: value for key, value in said.items() if not key.startswith("code.")}


def _frames(view: EvidenceView, said: dict[str, Any]) -> tuple[Frame, ...]:
    for event in view.events(source_names.LOGS):
        record = event.record
        is_it = record.start_ns == fired_ns(view) and record.attributes == said
        if is_it and event.stack is not None:
            return event.stack.frames
    return ()
