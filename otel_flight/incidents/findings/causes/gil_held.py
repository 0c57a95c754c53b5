"""One thread that did not release the GIL, so that no other could run Python code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from otel_flight.ground.intervals import Interval
from otel_flight.incidents.evidence.durations.pauses import Pause
from otel_flight.incidents.evidence.durations.stopped_time import (
    LEAST_SHARE,
    pauses_of,
    slow_request,
    stopped_ns,
)
from otel_flight.incidents.evidence.durations.throttling import held_back_ns
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import application_frames, described, frame_in
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.interpreter.code.origin import is_application
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names
from otel_flight.names import evidence as keys
from otel_flight.names import process_attributes as vitals
from otel_flight.records.ids import trace_text
from otel_flight.records.records import Frame
from otel_flight.words import quoted, short_duration

_JUST_BEFORE_NS: Final = 300_000_000
"""It is told where a thread was at most so many nanoseconds before a hold: it is looked at a few
times a second."""
_THROTTLED_SHARE: Final = 0.5
"""Where the process was throttled for this part of a hold, its limit is the reason."""


def find_gil_held(evidence: Evidence) -> Finding | None:
    """Name the function that held it, for whom, and how long.

    Of a hold that was long enough for its stack to be written meanwhile that is sure. Else it is
    the function that the thread was in right after it released the GIL: that one held it, or ran
    just after the one that did, as nobody can look before others can run. Where that is a
    package's, the application's is told that it was in just before, if anyone looked. Silent where
    the thread is not known, about holds that throttling accounts for (those of garbage collections
    are pauses of their own), and about one within a call to another service that had to be waited
    for anyway.
    """
    request = slow_request(evidence)
    if request is None:
        return None
    by_function: defaultdict[tuple[str, str], list[Pause]] = defaultdict(list)
    for pause in pauses_of(evidence, request, event_names.GIL_HELD):
        frame = _seen_in(evidence, pause.event)
        if frame is not None and not _is_throttled(evidence, pause.event):
            by_function[frame.function, frame.file].append(pause)
    longest = max(by_function.values(), key=lambda each: stopped_ns(each, request), default=None)
    if longest is None:
        return None
    taken = stopped_ns(longest, request)
    share = taken / request.duration_ns
    if share < LEAST_SHARE:
        return None
    event = max((pause.event for pause in longest), key=lambda each: each.duration_ns)
    times = f" each of the {len(longest)} times" if len(longest) > 1 else ""
    frame = _seen_meanwhile(evidence, event)
    seen = "meanwhile" if frame else f"{_before(evidence, event)}right after{times}"
    frame = frame or frame_in(event.record.attributes)
    place = quoted(described(frame), 200)
    return Finding(
        rule=RULE.name,
        summary=(
            f"a thread held the interpreter's lock (GIL) for {short_duration(taken)} of the "
            f"{short_duration(request.duration_ns)} of {quoted(request.name)} ({share:.0%}), so "
            f"that no other could run; {seen} it was in {place}{_whose(evidence, event, request)}"
        ),
        explained_share=share,
        evidence=_evidence(event, longest, taken, frame),
    )


def _before(evidence: Evidence, event: WindowEvent) -> str:
    """Say in which function of the application the holder was before it was in a package's.

    A server may send by then what took that function long.
    """
    if is_application(frame_in(event.record.attributes).file):
        return ""
    just_before = Interval(event.start_ns - _JUST_BEFORE_NS, event.start_ns)
    for each in reversed(evidence.events_during(source_names.STACKS, just_before)):
        own = application_frames(each.frames)[-1:]
        if each.record.thread_id == event.record.thread_id and own and is_application(own[0].file):
            return f"just before it was in {quoted(described(own[0]), 200)}, "
    return ""


def _seen_in(evidence: Evidence, event: WindowEvent) -> Frame | None:
    frame = _seen_meanwhile(evidence, event)
    if frame is None and names.FUNCTION in event.record.attributes:
        return frame_in(event.record.attributes)
    return frame


def _seen_meanwhile(evidence: Evidence, event: WindowEvent) -> Frame | None:
    """Return where the holder was while it held the GIL, where its stack was written then."""
    for each in evidence.events_during(source_names.STACKS, event):
        is_of_holder = each.record.thread_id == event.record.thread_id
        if is_of_holder and names.WITHOUT_GIL in each.record.attributes:
            frames = application_frames(each.frames)
            return frames[-1] if frames else None
    return None


def _is_throttled(evidence: Evidence, event: WindowEvent) -> bool:
    throttled_ns = held_back_ns(evidence.events_during(source_names.THROTTLING, event), event)
    return throttled_ns >= event.duration_ns * _THROTTLED_SHARE


def _whose(evidence: Evidence, event: WindowEvent, request: WindowSpan) -> str:
    """Return for whom the function ran, as far as it is known."""
    trace_id = event.record.trace_id
    if not trace_id:
        root = evidence.trace.local_root(request)
        is_own = evidence.threads.get(root.record.span_id, 0) == event.record.thread_id
        return "" if is_own else ", on another thread"
    if trace_id == request.record.trace_id:
        return ", in this request itself"
    name = evidence.request_name(trace_id)
    return f", in another request{f', {quoted(name)}' if name else ''}"


def _evidence(
    event: WindowEvent, pauses: Sequence[Pause], taken_ns: int, frame: Frame
) -> dict[str, Any]:
    record = event.record
    found = record.attributes
    place = {names.FUNCTION: frame.function, names.FILE: frame.file, names.LINE: frame.line}
    trace = {keys.TRACE_ID: trace_text(record.trace_id)} if record.trace_id else {}
    return {
        keys.DURATION_NS: taken_ns,
        keys.HOLDS: len(pauses),
        keys.THREAD_ID: record.thread_id,
        **{name: found[name] for name in (vitals.HOLDER_CPU,) if name in found},
        keys.SEEN_RIGHT_AFTER: {**place, **trace},
    }


RULE: Final = Rule(
    name="gil_held",
    kind=Kind.CAUSE,
    title="One thread held the GIL",
    find=find_gil_held,
)
