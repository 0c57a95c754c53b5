"""A function that kept the event loop to itself, so that a slow request could not go on."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from otel_flight.ground.intervals import Interval, union_ns
from otel_flight.incidents.evidence.durations.own_time import words_of_path
from otel_flight.incidents.evidence.durations.pauses import Pause, find_pauses, is_collection
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import application_frames, described, frame_in
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.names import attributes as names
from otel_flight.names import evidence as keys
from otel_flight.names import source_names, trigger_names
from otel_flight.records.ids import span_text, trace_text
from otel_flight.words import quoted, short_duration

_LEAST_SHARE: Final = 0.2
"""Stalls that take a smaller part of the request's time are not what made it slow."""


def find_event_loop_blocked(evidence: Evidence) -> Finding | None:
    """Name the function, in which request it ran, and its share of the slow one's time.

    Silent about stalls that nobody saw from the inside, about those of many short tasks, and about
    those that garbage collections account for.
    """
    if evidence.trigger is None:
        cause = evidence.cause_of(trigger_names.LOOP_STALL)
        return _without_request(evidence, cause) if cause is not None else None
    local_root = evidence.trace.local_root(evidence.trigger)
    root = evidence.slow or local_root
    by_function: defaultdict[tuple[str, str], list[Pause]] = defaultdict(list)
    for pause in find_pauses(evidence):
        has_culprit = _has_culprit(evidence, pause.event)
        if has_culprit and not _went_on_elsewhere(evidence, pause.event, root):
            frame = frame_in(pause.event.record.attributes)
            by_function[frame.function, frame.file].append(pause)
    if not by_function or root.duration_ns <= 0:
        return None
    longest = max(by_function.values(), key=lambda pauses: union_ns(pauses, local_root))
    taken = union_ns(longest, local_root)
    share = min(1.0, taken / root.duration_ns)
    if share < _LEAST_SHARE:
        return None
    event = max(longest, key=lambda pause: pause.duration_ns).event
    times = f", {len(longest)} times" if len(longest) > 1 else ""
    return Finding(
        rule=RULE.name,
        summary=(
            f"the event loop was blocked for {short_duration(taken)} of the "
            f"{short_duration(root.duration_ns)} of {quoted(root.name)} ({share:.0%})"
            f"{times} by {_place(event)}{_whose(evidence, event, root)}"
        ),
        explained_share=share,
        evidence=_evidence(event, taken, len(longest)),
    )


def _without_request(evidence: Evidence, cause: Cause) -> Finding | None:
    """Name what blocked a loop when no request of the window is known to have done it."""
    fired = Interval(cause.time_ns - 1, cause.time_ns + 1)
    stalls = [
        event
        for event in evidence.events_during(source_names.EVENT_LOOP, fired)
        if _has_culprit(evidence, event)
    ]
    if not stalls:
        return None
    stall = max(stalls, key=lambda event: event.duration_ns)
    return Finding(
        rule=RULE.name,
        summary=(
            f"the event loop was blocked for {short_duration(stall.duration_ns)} by "
            f"{_place(stall)}{_whose(evidence, stall, None)}"
        ),
        evidence=_evidence(stall, stall.duration_ns, 1),
    )


def _has_culprit(evidence: Evidence, stall: WindowEvent) -> bool:
    record = stall.record
    is_stall = record.source == source_names.EVENT_LOOP and record.duration_ns > 0
    return is_stall and names.FUNCTION in record.attributes and not is_collection(evidence, stall)


def _went_on_elsewhere(evidence: Evidence, stall: WindowEvent, root: WindowSpan) -> bool:
    """Whether the request was seen on another thread meanwhile, and so did not need the loop."""
    return any(
        sample.record.span_id == root.record.span_id
        and sample.record.thread_id != stall.record.thread_id
        for sample in evidence.events_during(source_names.STACKS, stall)
    )


def _place(stall: WindowEvent) -> str:
    attributes = stall.record.attributes
    call = attributes.get(names.CALL)
    inside = f", in {quoted(str(call))}" if call else ""
    frame = frame_in(attributes)
    path = [each for each in application_frames(stall.frames) if each.function != "<module>"]
    is_innermost = bool(path) and (path[-1].function, path[-1].file) == (frame.function, frame.file)
    where = words_of_path(path) if is_innermost else quoted(described(frame), 200)
    return f"{where}{inside}"


def _whose(evidence: Evidence, stall: WindowEvent, root: WindowSpan | None) -> str:
    """Return for whom the function ran, as far as it is known."""
    trace_id = stall.record.trace_id
    if not trace_id:
        return ""
    if root is not None and trace_id == root.record.trace_id:
        return ", running in this request itself"
    name = evidence.request_name(trace_id)
    return f", running in another request{f', {quoted(name)}' if name else ''}"


def _evidence(stall: WindowEvent, taken_ns: int, stalls: int) -> dict[str, Any]:
    record = stall.record
    kept = (names.FUNCTION, names.FILE, names.LINE, names.CALL)
    ids = {keys.TRACE_ID: trace_text(record.trace_id), keys.SPAN_ID: span_text(record.span_id)}
    return {
        keys.DURATION_NS: taken_ns,
        keys.STALLS: stalls,
        **{name: record.attributes[name] for name in kept if name in record.attributes},
        **(ids if record.trace_id else {}),
    }


RULE: Final = Rule(
    name="event_loop_blocked",
    kind=Kind.CAUSE,
    title="The event loop was blocked",
    find=find_event_loop_blocked,
)
