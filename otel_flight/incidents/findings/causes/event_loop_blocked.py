"""A function that kept the event loop to itself, so that a slow request could not go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.pauses import Pause, find_pauses
from otel_flight.incidents.evidence.view import (
    EvidenceView,
    quoted,
    short_duration,
)
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.interpreter.code_origin import short_file
from otel_flight.names import attributes as names

SOURCE: Final = "event_loop"
SAMPLES: Final = "stacks"
TRIGGER: Final = "loop_stall"
_LEAST_SHARE: Final = 0.2
"""Of the request's time; below that, something else made it slow."""
_COLLECTOR_SHARE: Final = 0.5
"""Of a stall that passed in garbage collections, which then are the reason and not the function."""


def find_event_loop_blocked(view: EvidenceView) -> Finding | None:
    """Name the function, in which request it ran, and its share of the slow one's time.

    Silent about stalls that nobody saw from the inside, about those of many short tasks, and about
    those that garbage collections account for.
    """
    cause = view.incident.manifest.trigger
    if view.trigger is None:
        return _without_request(view) if cause is not None and cause.trigger == TRIGGER else None
    root = view.slow or view.local_root(view.trigger)
    pauses = [
        pause
        for pause in find_pauses(view)
        if pause.event.record.source == SOURCE
        and _has_culprit(view, pause.event)
        and not _went_on_elsewhere(view, pause, root)
    ]
    if not pauses or root.duration_ns <= 0:
        return None
    by_function: defaultdict[tuple[str, str], list[Pause]] = defaultdict(list)
    for pause in pauses:
        by_function[_function(pause.event)].append(pause)
    longest = max(by_function.values(), key=_covered)
    taken = _covered(longest)
    share = min(1.0, taken / root.duration_ns)
    if share < _LEAST_SHARE:
        return None
    longest.sort(key=lambda pause: -pause.duration_ns)
    times = f", {len(longest)} times" if len(longest) > 1 else ""
    return Finding(
        rule="event_loop_blocked",
        summary=(
            f"the event loop was blocked for {short_duration(taken)} of the "
            f"{short_duration(root.duration_ns)} of {quoted(root.record.name)} ({share:.0%})"
            f"{times} by {_place(longest[0].event)}{_where(view, longest[0].event, root)}"
        ),
        explained_share=share,
        evidence=_evidence(longest[0].event, taken, len(longest)),
    )


def _without_request(view: EvidenceView) -> Finding | None:
    """Name what blocked a loop when no request of the window is known to have done it."""
    cause = view.incident.manifest.trigger
    assert cause is not None
    stalls = [
        event
        for event in view.events_between(SOURCE, cause.time_ns - 1, cause.time_ns + 1)
        if _has_culprit(view, event)
    ]
    if not stalls:
        return None
    stall = max(stalls, key=lambda event: event.record.duration_ns)
    taken = stall.record.duration_ns
    return Finding(
        rule="event_loop_blocked",
        summary=(
            f"the event loop was blocked for {short_duration(taken)} by "
            f"{_place(stall)}{_where(view, stall, None)}"
        ),
        evidence=_evidence(stall, taken, 1),
    )


def _has_culprit(view: EvidenceView, event: WindowEvent) -> bool:
    record = event.record
    if names.FUNCTION not in record.attributes or record.duration_ns <= 0:
        return False
    collections = view.events_between("gc", record.start_ns, record.end_ns)
    collected = sum(
        min(each.record.end_ns, record.end_ns) - max(each.record.start_ns, record.start_ns)
        for each in collections
    )
    return collected < record.duration_ns * _COLLECTOR_SHARE


def _went_on_elsewhere(view: EvidenceView, pause: Pause, root: WindowSpan) -> bool:
    """Whether the request was seen on another thread meanwhile, and so did not need the loop."""
    stall = pause.event.record
    return any(
        sample.record.span_id == root.record.span_id and sample.record.thread_id != stall.thread_id
        for sample in view.events_between(SAMPLES, stall.start_ns, stall.end_ns)
    )


def _covered(pauses: Sequence[Pause]) -> int:
    covered = reached = 0
    for pause in sorted(pauses, key=lambda each: each.start_ns):
        start = max(reached, pause.start_ns)
        covered += max(0, pause.end_ns - start)
        reached = max(reached, pause.end_ns)
    return covered


def _function(event: WindowEvent) -> tuple[str, str]:
    attributes = event.record.attributes
    return str(attributes[names.FUNCTION]), str(attributes.get(names.FILE, ""))


def _place(event: WindowEvent) -> str:
    function, file = _function(event)
    line = event.record.attributes.get(names.LINE, 0)
    call = event.record.attributes.get(names.CALL)
    inside = f", in {quoted(str(call))}" if call else ""
    return f"{quoted(f'{function} ({short_file(file)}:{line})', 200)}{inside}"


def _where(view: EvidenceView, event: WindowEvent, root: WindowSpan | None) -> str:
    """Return for whom the function ran, as far as it is known."""
    trace_id = event.record.trace_id
    if not trace_id:
        return ""
    if root is not None and trace_id == root.record.trace_id:
        return ", running in this request itself"
    name = next((each.name for each in view.roots if each.trace_id == trace_id), "")
    return (
        f", running in another request, {quoted(name)}" if name else ", running in another request"
    )


def _evidence(event: WindowEvent, taken_ns: int, stalls: int) -> dict[str, Any]:
    record = event.record
    kept = (names.FUNCTION, names.FILE, names.LINE, names.CALL)
    return {
        "duration_ns": taken_ns,
        "stalls": stalls,
        **{name: record.attributes[name] for name in kept if name in record.attributes},
        **(
            {"trace_id": f"{record.trace_id:032x}", "span_id": f"{record.span_id:016x}"}
            if record.trace_id
            else {}
        ),
    }
