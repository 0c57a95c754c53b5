"""Garbage collections that took a large part of a slow request's time, or were the trigger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from otel_flight.ground.intervals import Interval
from otel_flight.incidents.evidence.durations.own_time import words_of_path
from otel_flight.incidents.evidence.durations.samples import samples_of
from otel_flight.incidents.evidence.durations.stopped_time import (
    LEAST_SHARE,
    pauses_of,
    slow_request,
    stopped_ns,
)
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import application_frames, described
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent
from otel_flight.interpreter.code.origin import is_application
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names, trigger_names
from otel_flight.names import evidence as keys
from otel_flight.records.records import Frame
from otel_flight.words import quoted, short_duration

_FULL: Final = 2
"""A collection of this generation is a full one."""


def find_gc_pause(evidence: Evidence) -> Finding | None:
    """Say which generation was collected, for how long, and what part of the request that was.

    And where most of it ran, and which finalizer it called, if stack samples were taken meanwhile.
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
    called = _called(evidence, events)
    return Finding(
        rule=RULE.name,
        summary=(
            f"{_collections(events)} {_took(called)} {short_duration(taken)} of the "
            f"{short_duration(request.duration_ns)} of {quoted(request.name)} "
            f"({share:.0%}){_where(events)}{_meanwhile(evidence, events)}{called}"
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
    called = _called(evidence, [longest])
    return Finding(
        rule=RULE.name,
        summary=(
            f"{_collections([longest])} {_took(called)} "
            f"{short_duration(longest.duration_ns)}{_where([longest])}{called}"
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


def _took(called: str) -> str:
    """Say what a collection did to the process: others may run while Python code does in it."""
    return "took" if called else "stopped the process for"


def _where(events: Sequence[WindowEvent]) -> str:
    """Return where most of it ran, which only allocated last.

    That is the application's innermost function, or a package's where the application has none in
    any of them: an event loop may be between two functions.
    """
    taken: Counter[tuple[str, str]] = Counter()
    frames: dict[tuple[str, str], Frame] = {}
    for event in events:
        frame = next(iter(application_frames(event.frames)[-1:]), None)
        if frame is not None:
            key = frame.function, frame.file
            taken[key] += event.duration_ns
            frames.setdefault(key, frame)
    own = Counter({key: taken_ns for key, taken_ns in taken.items() if is_application(key[1])})
    if not taken:
        return ""
    key, taken_ns = (own or taken).most_common(1)[0]
    is_most = taken_ns * 2 >= sum(event.duration_ns for event in events)
    how = "" if len(events) == 1 else "mostly " if is_most else "among others "
    place = quoted(described(frames[key]), 200)
    return f"; it ran {how}while {place} was allocating, or asked for it"


def _meanwhile(evidence: Evidence, events: Sequence[WindowEvent]) -> str:
    """Say where the request was, for which the objects may be, where no function of ours ran."""
    request = slow_request(evidence)
    frames = [frame for event in events for frame in application_frames(event.frames)]
    if request is None or any(is_application(frame.file) for frame in frames):
        return ""
    samples = samples_of(evidence, evidence.trace.local_root(request))
    path = Part(Doing.PAUSED, "", "", 0, samples).path
    is_own = bool(path) and is_application(path[-1].file)
    return f"; the request was in {words_of_path(path)}" if is_own else ""


def _called(evidence: Evidence, events: Sequence[WindowEvent]) -> str:
    """Say which function the collections called: a finalizer, a callback of a weak reference.

    A sample that was taken within a collection is of Python code that ran in it.
    """
    called = Counter(
        described(frame)
        for event in events
        for sample in evidence.events_during(source_names.STACKS, event)
        if sample.record.thread_id == event.record.thread_id
        for frame in _within(sample.frames, event.frames)
    )
    if not called:
        return ""
    return f"; it called {quoted(called.most_common(1)[0][0], 200)}, as a finalizer or the like"


def _within(frames: Sequence[Frame], outer: Sequence[Frame]) -> Sequence[Frame]:
    """Return the first function that a sample has within all those in which a collection ran.

    A thread may also be seen just before it collects, with the same stack, of a function that
    calls itself.
    """
    around = [_what(frame) for frame in outer]
    stack = [_what(frame) for frame in frames]
    for end in range(len(stack), len(around) - 1, -1):
        if around and stack[end - len(around) : end] == around:
            return frames[end : end + 1]
    return ()


def _what(frame: Frame) -> tuple[str, str]:
    return frame.function, frame.file


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
