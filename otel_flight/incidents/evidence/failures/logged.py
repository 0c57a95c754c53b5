"""What the program said in its log, in the words of findings."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.unhandled import (
    LONGEST_PLACE,
    unhandled_evidence,
    unhandled_words,
)
from otel_flight.incidents.evidence.places import place_in
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.names import exception_attributes, source_names, span_attributes
from otel_flight.names import log_attributes as names
from otel_flight.records.records import Frame
from otel_flight.words import one_line, quoted

LONGEST_MESSAGE: Final = 300
_SOON_NS: Final = 1_000_000_000
"""What a server logs of a request that has failed, it logs at most this many nanoseconds later."""
_CODE_PREFIX: Final = "code."
"""The names of attributes that say where in the program something was begin with this."""


def error_logged_in(evidence: Evidence, span: WindowSpan) -> WindowEvent | None:
    """Return the last error that the span's trace logged until it ended, with an exception if any.

    Where there is none, a server may have logged the exception that the span names when the trace
    was over. None where nobody logged an error.
    """
    errors = [
        event
        for event in evidence.events(source_names.LOGS)
        if span.start_ns <= event.start_ns <= span.end_ns + _SOON_NS
        and event.record.attributes.get(names.LEVEL, 0) >= logging.ERROR
    ]
    within = [
        each
        for each in errors
        if each.record.trace_id == span.record.trace_id and each.start_ns <= span.end_ns
    ]
    with_exception = [each for each in within if _has_exception(each.record.attributes)]
    said = max(with_exception or within, key=lambda each: each.start_ns, default=None)
    about = [each for each in errors if not each.record.trace_id and is_about(each, span)]
    return said or min(about, key=lambda each: abs(each.start_ns - span.end_ns), default=None)


def is_about(event: WindowEvent, span: WindowSpan) -> bool:
    """Return whether a log record has an exception of the kind that the span failed with."""
    kind = str(span.record.attributes.get(span_attributes.ERROR_TYPE, ""))
    logged = str(event.record.attributes.get(exception_attributes.TYPE, ""))
    return bool(kind) and kind.rpartition(".")[2] == logged.rpartition(".")[2]


def logged_words(said: Mapping[str, Any], frames: Sequence[Frame]) -> str:
    """Return who logged what, where, and about which exception, to go on a sentence with.

    Args:
        said: the attributes of the log record.
        frames: of its exception, outermost first; none where it has none.
    """
    logger, severity = str(said.get(names.LOGGER, "")), str(said.get(names.SEVERITY, ""))
    message = one_line(str(said.get(names.MESSAGE, "")), LONGEST_MESSAGE)
    words = f"{quoted(logger)} logged {severity}: {message}"
    if where := place_in(said):
        words += f", in {quoted(where, LONGEST_PLACE)}"
    if _has_exception(said):
        words += f"; it was about {logged_exception(said, frames)}"
    return words


def logged_exception(said: Mapping[str, Any], frames: Sequence[Frame]) -> str:
    """Return the exception of a log record, and where it was raised, to go on a sentence with."""
    return unhandled_words(_of_exception(said), frames)


def logged_evidence(said: Mapping[str, Any], frames: Sequence[Frame]) -> dict[str, Any]:
    """Return what shows the exception of a log record."""
    return unhandled_evidence(_of_exception(said), frames)


def _of_exception(said: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the place, which is the log call's, and not the exception's."""
    return {key: value for key, value in said.items() if not key.startswith(_CODE_PREFIX)}


def frames_of(event: WindowEvent) -> Sequence[Frame]:
    """Return where the exception of a log record was raised, outermost frame first."""
    return () if event.stack is None else event.frames


def _has_exception(said: Mapping[str, Any]) -> bool:
    return exception_attributes.TYPE in said
