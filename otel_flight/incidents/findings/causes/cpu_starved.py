"""No processor: the container was held back by its limit, the process stopped, or others had it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from otel_flight.incidents.evidence.pauses import Pause
from otel_flight.incidents.evidence.samples import samples_of
from otel_flight.incidents.evidence.standstill import (
    LEAST_SHARE,
    covered_ns,
    pauses_of,
    slow_request,
)
from otel_flight.incidents.evidence.view import EvidenceView, quoted, short_duration
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.names import process_attributes as vitals
from otel_flight.records.records import RuntimeEvent

TRIGGER: Final = "throttling"
_TRIGGER_WINDOW_NS: Final = 5_000_000_000
_DESCHEDULED: Final = "process descheduled"
_QUEUED_SHARE: Final = 0.5
"""Of the time, ready to run on the recorder's thread, to say that others had the processor."""
_KIND_CLIENT: Final = 2
_CPU_PRESSURE: Final = "cpu pressure"
_OTHERS_HAD_IT: Final = "the process got no processor: others on the machine had it"


class _Queued(NamedTuple):
    """What the stack samples of a request say of its threads.

    Attributes:
        waited_ns: how long they were ready to run, and had no processor.
        own_cpu_ns: what other threads of the process used meanwhile.
    """

    waited_ns: int
    own_cpu_ns: int


def find_cpu_starved(view: EvidenceView) -> Finding | None:
    """Say what kept the processor away, and for how much of the request's time.

    Silent about less than a third of the time; time in calls to other services, which need no
    processor of ours, does not count.
    """
    request = slow_request(view)
    if request is None:
        return _of_trigger(view)
    throttled = _throttled(view, request)
    stopped = pauses_of(view, request, (_DESCHEDULED,))
    stopped_ns = covered_ns(stopped, request)
    throttled_ns = _held_back(view, throttled, request)
    queued = _queued(view, request)
    taken = max(stopped_ns, throttled_ns, queued.waited_ns)
    share = min(1.0, taken / request.duration_ns)
    if share < LEAST_SHARE:
        return _of_trigger(view)
    # Who is throttled is also woken late, and ready all the time: the limit is the reason then.
    if throttled_ns >= taken / 2:
        reason = _limit(throttled)
    elif stopped_ns >= queued.waited_ns:
        reason = _reason(stopped, stopped_ns)
    else:
        reason = _reason_of_queue(queued)
    return Finding(
        rule="cpu_starved",
        summary=(
            f"{reason} for {short_duration(taken)} of the {short_duration(request.duration_ns)} of "
            f"{quoted(request.record.name)} ({share:.0%})"
        ),
        explained_share=share,
        evidence={
            "throttled_ns": round(throttled_ns),
            "descheduled_ns": stopped_ns,
            "run_queue_ns": queued.waited_ns,
            **_limit_evidence(throttled),
            **_pressure_evidence(view, request),
        },
    )


def _of_trigger(view: EvidenceView) -> Finding | None:
    """Describe the throttling that was the trigger."""
    cause = view.incident.manifest.trigger
    if cause is None or cause.trigger != TRIGGER:
        return None
    start_ns = cause.time_ns - _TRIGGER_WINDOW_NS
    events = view.events_between("throttling", start_ns, cause.time_ns)
    held_back = sum(_part(event, start_ns, cause.time_ns) for event in events)
    if not events or held_back <= 0:
        return None
    share = min(1.0, held_back / _TRIGGER_WINDOW_NS)
    return Finding(
        rule="cpu_starved",
        summary=(
            f"{_limit(events)} for {short_duration(held_back)} of "
            f"{short_duration(_TRIGGER_WINDOW_NS)} ({share:.0%})"
        ),
        explained_share=share,
        evidence={"throttled_ns": round(held_back), **_limit_evidence(events)},
    )


def _throttled(view: EvidenceView, request: WindowSpan) -> Sequence[WindowEvent]:
    record = request.record
    return view.events_between("throttling", record.start_ns, record.end_ns)


def _part(event: WindowEvent, start_ns: int, end_ns: int) -> float:
    """Return how much of what an event tells of was between two moments."""
    record = event.record
    inside = min(record.end_ns, end_ns) - max(record.start_ns, start_ns)
    held_ns = float(record.attributes.get(vitals.HELD_BACK, 0))
    return held_ns * max(0, inside) / max(1, record.duration_ns)


def _held_back(view: EvidenceView, events: Sequence[WindowEvent], request: WindowSpan) -> float:
    """Return how long the request was held back, outside of its calls to other services."""
    held = sum(_part(event, request.record.start_ns, request.record.end_ns) for event in events)
    calls = [span for span in view.descendants(request) if span.record.kind == _KIND_CLIENT]
    elsewhere, reached = 0.0, request.record.start_ns
    for span in sorted(calls, key=lambda each: each.record.start_ns):
        start = max(reached, span.record.start_ns)
        end = min(span.record.end_ns, request.record.end_ns)
        if end > start:
            elsewhere += sum(_part(event, start, end) for event in events)
            reached = end
    return held - elsewhere


def _queued(view: EvidenceView, request: WindowSpan) -> _Queued:
    """Add up what the samples tell, each of the time since the one before."""
    attributes = [
        sample.event.record.attributes for sample in samples_of(view, view.local_root(request))
    ]
    return _Queued(
        sum(each.get(vitals.RUN_QUEUE, 0) for each in attributes),
        sum(each.get(vitals.PROCESS_CPU, 0) for each in attributes),
    )


def _limit(events: Sequence[WindowEvent]) -> str:
    limit = min((e.record.attributes.get(vitals.CPU_LIMIT, 0) for e in events), default=0)
    return (
        f"the container's processor limit of {limit:g} "
        f"{'processor' if limit == 1 else 'processors'} held the process back"
    )


def _limit_evidence(events: Sequence[WindowEvent]) -> dict[str, Any]:
    if not events:
        return {}
    return {
        "limit": min(event.record.attributes.get(vitals.CPU_LIMIT, 0) for event in events),
        "periods": sum(
            event.record.attributes.get(vitals.THROTTLED_PERIODS, 0) for event in events
        ),
    }


def _reason(pauses: Sequence[Pause], stopped_ns: int) -> str:
    queued = [pause.event.record.attributes.get(vitals.RUN_QUEUE) for pause in pauses]
    known = [each for each in queued if each is not None]
    if len(known) < len(queued) or not known:
        return "the process got no processor"
    if sum(known) >= stopped_ns * _QUEUED_SHARE:
        return _OTHERS_HAD_IT
    return "the process was stopped (by a signal, a debugger, a freezer or a suspended machine)"


def _reason_of_queue(queued: _Queued) -> str:
    if queued.own_cpu_ns <= queued.waited_ns * (1 - _QUEUED_SHARE):
        return _OTHERS_HAD_IT
    return "its thread was ready to run and got no processor, other threads of the process did,"


def _pressure_evidence(view: EvidenceView, request: WindowSpan) -> dict[str, Any]:
    """Return in how much of the worst second of a request anyone waited for a processor."""
    record = request.record
    seconds = [
        event.record
        for event in view.events_between("pressure", record.start_ns, record.end_ns)
        if event.record.name == _CPU_PRESSURE
    ]
    if not seconds:
        return {}
    worst = max(seconds, key=_stalled_share)
    return {
        "cpu_pressure": round(_stalled_share(worst), 3),
        "cpu_pressure_scope": worst.attributes.get(vitals.PRESSURE_SCOPE, ""),
    }


def _stalled_share(record: RuntimeEvent) -> float:
    stalled_ns = float(record.attributes.get(vitals.STALLED, 0))
    return min(1.0, stalled_ns / max(1, record.duration_ns))
