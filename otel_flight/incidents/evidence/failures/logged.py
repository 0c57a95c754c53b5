"""What the program said in its log, in the words of findings."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.unhandled import LONGEST_PLACE, unhandled_words
from otel_flight.incidents.evidence.places import place_in
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.names import exception_attributes, source_names
from otel_flight.names import log_attributes as names
from otel_flight.records.records import Frame
from otel_flight.words import one_line, quoted

LONGEST_MESSAGE: Final = 300
_CODE_PREFIX: Final = "code."
"""The names of attributes that say where in the program something was begin with this."""


def error_logged_in(evidence: Evidence, span: WindowSpan) -> WindowEvent | None:
    """Return the last error that the span's trace logged until it ended, with an exception if any.

    None where the trace logged no error.
    """
    errors = [
        event
        for event in evidence.events(source_names.LOGS)
        if event.record.trace_id == span.record.trace_id
        and span.start_ns <= event.start_ns <= span.end_ns
        and event.record.attributes.get(names.LEVEL, 0) >= logging.ERROR
    ]
    with_exception = [each for each in errors if _has_exception(each.record.attributes)]
    return max(with_exception or errors, key=lambda each: each.start_ns, default=None)


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
        # The place is the log call's, and not the exception's.
        of_exception = {k: v for k, v in said.items() if not k.startswith(_CODE_PREFIX)}
        words += f"; it was about {unhandled_words(of_exception, frames)}"
    return words


def frames_of(event: WindowEvent) -> Sequence[Frame]:
    """Return where the exception of a log record was raised, outermost frame first."""
    return () if event.stack is None else event.frames


def _has_exception(said: Mapping[str, Any]) -> bool:
    return exception_attributes.TYPE in said
