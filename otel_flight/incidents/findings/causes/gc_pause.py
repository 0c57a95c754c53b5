"""Garbage collections that took a large part of a slow request's time, or were the trigger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.standstill import (
    LEAST_SHARE,
    covered_ns,
    pauses_of,
    slow_request,
)
from otel_flight.incidents.evidence.view import EvidenceView, quoted, short_duration
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent
from otel_flight.interpreter.code_origin import is_application, short_file

SOURCE: Final = "gc"
TRIGGER: Final = "gc_pause"
_GENERATION: Final = "cpython.gc.generation"
_COLLECTED: Final = "cpython.gc.collected_objects"
_FULL: Final = 2


def find_gc_pause(view: EvidenceView) -> Finding | None:
    """Say which generation was collected, for how long, and what part of the request that was.

    Silent when the collections take less than a third of the request, and about one within a call
    to another service that had to be waited for anyway.
    """
    request = slow_request(view)
    if request is None:
        return _of_trigger(view)
    pauses = pauses_of(view, request, ("gc pause",))
    taken = covered_ns(pauses, request)
    share = taken / request.duration_ns
    if share < LEAST_SHARE:
        return _of_trigger(view)
    events = [pause.event for pause in pauses]
    return Finding(
        rule="gc_pause",
        summary=(
            f"{_collections(events)} stopped the process for {short_duration(taken)} of the "
            f"{short_duration(request.duration_ns)} of {quoted(request.record.name)} "
            f"({share:.0%}){_where(_longest(events))}"
        ),
        explained_share=share,
        evidence=_evidence(events, taken),
    )


def _of_trigger(view: EvidenceView) -> Finding | None:
    """Describe the collection that was the trigger, whether or not a request met it."""
    cause = view.incident.manifest.trigger
    if cause is None or cause.trigger != TRIGGER:
        return None
    events = view.events_between(SOURCE, cause.time_ns - 1, cause.time_ns + 1)
    if not events:
        return None
    longest = _longest(events)
    taken = longest.record.duration_ns
    return Finding(
        rule="gc_pause",
        summary=(
            f"{_collections([longest])} stopped the process for {short_duration(taken)}"
            f"{_where(longest)}"
        ),
        explained_share=1.0,
        evidence=_evidence([longest], taken),
    )


def _longest(events: Sequence[WindowEvent]) -> WindowEvent:
    return max(events, key=lambda event: event.record.duration_ns)


def _collections(events: Sequence[WindowEvent]) -> str:
    generation = _longest(events).record.attributes.get(_GENERATION)
    kind = "full " if generation == _FULL else ""
    if len(events) > 1:
        return f"{len(events)} garbage collections"
    return f"a {kind}garbage collection (generation {generation})"


def _where(event: WindowEvent) -> str:
    """Return where it ran: the application's innermost function, which only allocated last."""
    frames = event.stack.frames if event.stack is not None else ()
    frame = next((each for each in reversed(frames) if is_application(each.file)), None)
    if frame is None:
        return ""
    place = quoted(f"{frame.function} ({short_file(frame.file)}:{frame.line})", 200)
    return f"; it ran while {place} was allocating, or asked for it"


def _evidence(events: Sequence[WindowEvent], taken_ns: int) -> dict[str, Any]:
    longest = _longest(events).record
    return {
        "duration_ns": taken_ns,
        "collections": len(events),
        "longest_ns": longest.duration_ns,
        "generation": longest.attributes.get(_GENERATION, 0),
        "collected_objects": sum(int(e.record.attributes.get(_COLLECTED, 0)) for e in events),
    }
