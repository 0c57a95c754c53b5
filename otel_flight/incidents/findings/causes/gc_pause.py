"""Garbage collections that took a large part of a slow request's time, or were the trigger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from otel_flight.ground.intervals import Interval
from otel_flight.incidents.evidence.durations.stopped_time import (
    LEAST_SHARE,
    pauses_of,
    slow_request,
    stopped_ns,
)
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import described
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent
from otel_flight.interpreter.code.origin import is_application
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names, trigger_names
from otel_flight.names import evidence as keys
from otel_flight.words import quoted, short_duration

_FULL: Final = 2
"""A collection of this generation is a full one."""


def find_gc_pause(evidence: Evidence) -> Finding | None:
    """Say which generation was collected, for how long, and what part of the request that was.

    Silent when the collections take less than a third of the request, and about one within a call
    to another service that had to be waited for anyway.
    """
    request = slow_request(evidence)
    if request is None:
        return _of_trigger(evidence)
    pauses = pauses_of(evidence, request, event_names.GC_PAUSE)
    taken = stopped_ns(pauses, request)
    share = taken / request.duration_ns
    if share < LEAST_SHARE:
        return _of_trigger(evidence)
    events = [pause.event for pause in pauses]
    return Finding(
        rule=RULE.name,
        summary=(
            f"{_collections(events)} stopped the process for {short_duration(taken)} of the "
            f"{short_duration(request.duration_ns)} of {quoted(request.name)} "
            f"({share:.0%}){_where(_longest(events))}"
        ),
        explained_share=share,
        evidence=_evidence(events, taken),
    )


def _of_trigger(evidence: Evidence) -> Finding | None:
    """Describe the collection that was the trigger, whether or not a request met it."""
    cause = evidence.cause_of(trigger_names.GC_PAUSE)
    if cause is None:
        return None
    fired = Interval(cause.time_ns - 1, cause.time_ns + 1)
    events = evidence.events_during(source_names.GC, fired)
    if not events:
        return None
    longest = _longest(events)
    return Finding(
        rule=RULE.name,
        summary=(
            f"{_collections([longest])} stopped the process for "
            f"{short_duration(longest.duration_ns)}{_where(longest)}"
        ),
        explained_share=1.0,
        evidence=_evidence([longest], longest.duration_ns),
    )


def _longest(events: Sequence[WindowEvent]) -> WindowEvent:
    return max(events, key=lambda event: event.duration_ns)


def _collections(events: Sequence[WindowEvent]) -> str:
    generation = _longest(events).record.attributes.get(names.GC_GENERATION)
    kind = "full " if generation == _FULL else ""
    if len(events) > 1:
        return f"{len(events)} garbage collections"
    return f"a {kind}garbage collection (generation {generation})"


def _where(event: WindowEvent) -> str:
    """Return where it ran: the application's innermost function, which only allocated last."""
    frame = next((each for each in reversed(event.frames) if is_application(each.file)), None)
    if frame is None:
        return ""
    return f"; it ran while {quoted(described(frame), 200)} was allocating, or asked for it"


def _evidence(events: Sequence[WindowEvent], taken_ns: int) -> dict[str, Any]:
    longest = _longest(events)
    collected = (event.record.attributes.get(names.GC_COLLECTED, 0) for event in events)
    return {
        keys.DURATION_NS: taken_ns,
        keys.COLLECTIONS: len(events),
        keys.LONGEST_NS: longest.duration_ns,
        keys.GENERATION: longest.record.attributes.get(names.GC_GENERATION, 0),
        keys.COLLECTED_OBJECTS: sum(map(int, collected)),
    }


RULE: Final = Rule(
    name="gc_pause",
    kind=Kind.CAUSE,
    title="Garbage was collected",
    find=find_gc_pause,
)
