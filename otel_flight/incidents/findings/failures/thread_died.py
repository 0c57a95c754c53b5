"""A thread that an exception ended: what it did is not done any more, and nobody is told."""

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
from otel_flight.incidents.evidence.view import EvidenceView, quoted, short_duration
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import Frame

_MOMENT_NS: Final = 1_000_000
"""A death so shortly before the trigger is the trigger."""


def find_thread_died(view: EvidenceView) -> Finding | None:
    """Name the thread that died last before the trigger, of what, and where.

    Silent where the trigger is another unhandled exception than a thread's, and where requests like
    the trigger's have gone well since: those did not need the thread.
    """
    fired = fired_ns(view)
    deaths = [
        event for event in unhandled_events(view, names.THREAD) if event.record.start_ns <= fired
    ]
    cause = view.incident.manifest.trigger
    if not deaths or (cause is not None and _is_of_another(cause.trigger, deaths[-1], fired)):
        return None
    died = deaths[-1].record
    if _has_gone_well_since(view, died.start_ns):
        return None
    attributes = died.attributes
    frames: Sequence[Frame] = deaths[-1].stack.frames if deaths[-1].stack is not None else ()
    name = str(attributes.get(names.WHERE, ""))
    before = fired - died.start_ns
    summary = f"the thread {quoted(name)} died" if name else "a thread died"
    if before > _MOMENT_NS:
        summary += f" {short_duration(before)} before the trigger"
    summary += f" of {exception_words(attributes, frames)}"
    if more := len(deaths) - 1:
        summary += f"; {more} more {'thread' if more == 1 else 'threads'} died before it"
    return Finding(
        rule="thread_died",
        summary=summary,
        evidence={
            **exception_evidence(attributes, frames),
            "thread.id": died.thread_id,
            "before_ns": before,
            "deaths": len(deaths),
        },
    )


def _is_of_another(trigger: str, last: WindowEvent, fired: int) -> bool:
    return trigger == TRIGGER and fired - last.record.start_ns > _MOMENT_NS


def _has_gone_well_since(view: EvidenceView, died_ns: int) -> bool:
    """Tell whether a request of the trigger's name began after a death and was soon over."""
    if view.trigger is None:
        return False
    own = view.local_root(view.trigger)
    return any(
        root.name == own.record.name
        and root.start_ns > died_ns
        and root.end_ns <= own.record.start_ns
        and not root.is_error
        and not root.is_open
        and (root.end_ns - root.start_ns) * 2 < own.duration_ns
        for root in view.roots
        if root.span_id != own.record.span_id
    )
