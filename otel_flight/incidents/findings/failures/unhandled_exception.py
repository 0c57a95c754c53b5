"""The exception that ended the process or an asyncio task, where that is what fired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otel_flight.incidents.evidence.unhandled import (
    TRIGGER,
    exception_evidence,
    exception_words,
    fired_ns,
    unhandled_events,
)
from otel_flight.incidents.evidence.view import EvidenceView, one_line, quoted
from otel_flight.incidents.manifest import Finding
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import Frame

_LONGEST_WHERE: Final = 120


def find_unhandled_exception(view: EvidenceView) -> Finding | None:
    """Name the exception, and the function it came from.

    Silent about threads, which another rule tells of, and about exceptions that did not fire.
    """
    cause = view.incident.manifest.trigger
    if cause is None or cause.trigger != TRIGGER:
        return None
    attributes = cause.attributes
    ended = str(attributes.get(names.ENDED, ""))
    if ended not in (names.MAIN_THREAD, names.TASK):
        return None
    frames: Sequence[Frame] = ()
    for event in unhandled_events(view, ended):
        if event.record.start_ns == fired_ns(view) and event.stack is not None:
            frames = event.stack.frames
    words = exception_words(attributes, frames)
    if ended == names.MAIN_THREAD:
        summary = f"the main thread ended with {words}"
    else:
        where = one_line(str(attributes.get(names.WHERE, "")), _LONGEST_WHERE)
        summary = f"an asyncio task or callback ended with {words}"
        summary += f": {quoted(where, _LONGEST_WHERE)}" if where else ""
    return Finding(
        rule="unhandled_exception",
        summary=summary,
        evidence={**exception_evidence(attributes, frames), "ended": ended},
    )
