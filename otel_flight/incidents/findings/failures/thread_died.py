"""A thread that an exception ended: what it did is not done any more, and nobody is told."""

from __future__ import annotations

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
from otel_flight.names.attributes import THREAD_ID
from otel_flight.words import quoted, short_duration

_MOMENT_NS: Final = 1_000_000
"""A death at most this many nanoseconds before the trigger is the trigger."""


def find_thread_died(evidence: Evidence) -> Finding | None:
    """Name the thread that died last before the trigger, of what, and where.

    Silent where the trigger is another unhandled exception than a thread's, and where requests like
    the trigger's have gone well since: those did not need the thread.
    """
    fired = evidence.manifest.fired_ns
    deaths = [
        event for event in unhandled_events(evidence, names.THREAD) if event.start_ns <= fired
    ]
    if not deaths:
        return None
    death = deaths[-1]
    before = fired - death.start_ns
    is_of_another = before > _MOMENT_NS and evidence.cause_of(trigger_names.UNHANDLED_EXCEPTION)
    if is_of_another or _has_gone_well_since(evidence, death.start_ns):
        return None
    attributes, frames = death.record.attributes, death.frames
    name = str(attributes.get(names.WHERE, ""))
    summary = f"the thread {quoted(name)} died" if name else "a thread died"
    if before > _MOMENT_NS:
        summary += f" {short_duration(before)} before the trigger"
    summary += f" of {unhandled_words(attributes, frames)}"
    if more := len(deaths) - 1:
        summary += f"; {more} more {'thread' if more == 1 else 'threads'} died before it"
    return Finding(
        rule=RULE.name,
        summary=summary,
        evidence={
            **unhandled_evidence(attributes, frames),
            THREAD_ID: death.record.thread_id,
            keys.BEFORE_NS: before,
            keys.DEATHS: len(deaths),
        },
    )


def _has_gone_well_since(evidence: Evidence, died_ns: int) -> bool:
    """Tell whether a request of the trigger's name began after a death and was soon over."""
    if evidence.trigger is None:
        return False
    own = evidence.trace.local_root(evidence.trigger)
    return any(
        root.name == own.name
        and root.start_ns > died_ns
        and root.end_ns <= own.start_ns
        and not root.is_error
        and not root.is_open
        and root.duration_ns * 2 < own.duration_ns
        for root in evidence.roots
        if root.span_id != own.record.span_id
    )


RULE: Final = Rule(
    name="thread_died",
    kind=Kind.FAILURE,
    title="A thread died",
    find=find_thread_died,
)
