"""A thread that an exception ended: what it did is not done any more, and nobody is told."""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.dead_threads import deaths_of_threads
from otel_flight.incidents.evidence.failures.unhandled import unhandled_evidence, unhandled_words
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
    deaths = evidence.once(deaths_of_threads)
    if not deaths:
        return None
    death = deaths[-1]
    before = evidence.manifest.fired_ns - death.start_ns
    if before > _MOMENT_NS and evidence.cause_of(trigger_names.UNHANDLED_EXCEPTION):
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


RULE: Final = Rule(
    name="thread_died",
    kind=Kind.FAILURE,
    title="A thread died",
    find=find_thread_died,
)
