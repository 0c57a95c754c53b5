"""No CPU: the container was throttled at its limit, the process stopped, or others had the CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from otel_flight.ground.intervals import Interval, union
from otel_flight.incidents.evidence.durations.company import others_there
from otel_flight.incidents.evidence.durations.own_time import parts_of_slow, words_of_path
from otel_flight.incidents.evidence.durations.pauses import Pause
from otel_flight.incidents.evidence.durations.samples import samples_of
from otel_flight.incidents.evidence.durations.stopped_time import (
    LEAST_SHARE,
    pauses_of,
    slow_request,
    stopped_ns,
)
from otel_flight.incidents.evidence.durations.throttling import held_back_ns
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import KIND_CLIENT, WindowEvent, WindowSpan
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names, trigger_names
from otel_flight.names import evidence as keys
from otel_flight.names import process_attributes as vitals
from otel_flight.words import count, quoted, short_duration

_TRIGGER_WINDOW_NS: Final = 5_000_000_000
"""The trigger on throttling looks back this many nanoseconds."""
_QUEUED_SHARE: Final = 0.5
"""Others had the CPU where the process was ready to run for this part of the time."""
_OTHERS_HAD_IT: Final = "the process got no processor: others on the machine had it"


class _Queued(NamedTuple):
    """What the stack samples of a request say of its threads.

    Attributes:
        waited_ns: how long they were ready to run, and had no CPU.
        own_cpu_ns: what other threads of the process used meanwhile.
        gil_ns: how long they waited for the GIL.
        rival: what another thread was doing that had it most; empty: not known.
    """

    waited_ns: int
    own_cpu_ns: int
    gil_ns: int
    rival: str


def find_cpu_starved(evidence: Evidence) -> Finding | None:
    """Say what kept the CPU away, for how much of the request's time, and what had needed it.

    So is waiting for the GIL where threads compete for it. Silent about less than a third of the
    time; time in calls to other services, which need no CPU of ours, does not count.
    """
    request = slow_request(evidence)
    if request is None:
        return _of_trigger(evidence)
    throttled = evidence.events_during(source_names.THROTTLING, request)
    throttled_ns = _throttled_ns(evidence, throttled, request)
    pauses = pauses_of(evidence, request, event_names.DESCHEDULED)
    descheduled_ns = stopped_ns(pauses, request)
    queued = _queued(evidence, request)
    taken = max(descheduled_ns, throttled_ns, queued.waited_ns, queued.gil_ns)
    share = min(1.0, taken / request.duration_ns)
    if share < LEAST_SHARE:
        return _of_trigger(evidence)
    # Who is throttled is also woken late, and ready all the time: the limit is the reason then.
    if throttled_ns >= taken / 2:
        reason = _reason_of_limit(throttled)
    elif queued.gil_ns >= max(descheduled_ns, queued.waited_ns):
        reason = _reason_of_gil(queued)
    elif descheduled_ns >= queued.waited_ns:
        reason = _reason_of_pauses(pauses, descheduled_ns)
    else:
        reason = _reason_of_queue(queued)
    return Finding(
        rule=RULE.name,
        summary=(
            f"{reason} for {short_duration(taken)} of the {short_duration(request.duration_ns)} of "
            f"{quoted(request.name)} ({share:.0%}){_what_it_ran(evidence, request)}"
        ),
        explained_share=share,
        evidence={
            keys.THROTTLED_NS: round(throttled_ns),
            keys.DESCHEDULED_NS: descheduled_ns,
            keys.RUN_QUEUE_NS: queued.waited_ns,
            keys.GIL_WAIT_NS: queued.gil_ns,
            **_limit_evidence(throttled),
            **_pressure_evidence(evidence, request),
        },
    )


def _of_trigger(evidence: Evidence) -> Finding | None:
    """Describe the throttling that was the trigger."""
    cause = evidence.cause_of(trigger_names.THROTTLING)
    if cause is None:
        return None
    before = Interval(cause.time_ns - _TRIGGER_WINDOW_NS, cause.time_ns)
    events = evidence.events_during(source_names.THROTTLING, before)
    throttled_ns = held_back_ns(events, before)
    if throttled_ns <= 0:
        return None
    share = min(1.0, throttled_ns / _TRIGGER_WINDOW_NS)
    return Finding(
        rule=RULE.name,
        summary=(
            f"{_reason_of_limit(events)} for {short_duration(throttled_ns)} of "
            f"{short_duration(_TRIGGER_WINDOW_NS)} ({share:.0%})"
        ),
        explained_share=share,
        evidence={keys.THROTTLED_NS: round(throttled_ns), **_limit_evidence(events)},
    )


def _throttled_ns(evidence: Evidence, events: Sequence[WindowEvent], request: WindowSpan) -> float:
    """Return how long the request was held back, outside of its calls to other services."""
    descendants = evidence.trace.descendants(request)
    calls = [span for span in descendants if span.record.kind == KIND_CLIENT]
    elsewhere = sum(held_back_ns(events, part) for part in union(calls, request))
    return held_back_ns(events, request) - elsewhere


def _queued(evidence: Evidence, request: WindowSpan) -> _Queued:
    """Add up what the samples tell, each of the time since the one before."""
    root = evidence.trace.local_root(request)
    attributes = [sample.event.record.attributes for sample in samples_of(evidence, root)]
    rivals = Counter(str(each[names.RIVAL]) for each in attributes if names.RIVAL in each)
    return _Queued(
        sum(each.get(vitals.RUN_QUEUE, 0) for each in attributes),
        sum(each.get(vitals.PROCESS_CPU, 0) for each in attributes),
        sum(each.get(vitals.GIL_WAIT, 0) for each in attributes),
        next((place for place, _ in rivals.most_common(1)), ""),
    )


def _what_it_ran(evidence: Evidence, request: WindowSpan) -> str:
    """Say what was seen running: in time of its own or, where pauses cover all of it, in those."""
    running = (each for each in evidence.once(parts_of_slow) if each.doing is Doing.RUNNING)
    samples = samples_of(evidence, evidence.trace.local_root(request))
    seen = [sample for sample in samples if not sample.wait_kind]
    part = next(running, Part(Doing.RUNNING, "", "", 0, seen))
    if not part.path:
        return ""
    others = others_there(evidence, part.samples)
    there = f", as {count(others, 'other request')} did" if others else ""
    return f"; it ran {words_of_path(part.path)}{there}"


def _reason_of_limit(events: Sequence[WindowEvent]) -> str:
    limit = _limit(events)
    return (
        f"the container's processor limit of {limit:g} "
        f"{'processor' if limit == 1 else 'processors'} held the process back"
    )


def _reason_of_pauses(pauses: Sequence[Pause], taken_ns: int) -> str:
    queued = [pause.event.record.attributes.get(vitals.RUN_QUEUE) for pause in pauses]
    known = [each for each in queued if each is not None]
    if len(known) < len(queued) or not known:
        return "the process got no processor"
    if sum(known) >= taken_ns * _QUEUED_SHARE:
        return _OTHERS_HAD_IT
    return "the process was stopped (by a signal, a debugger, a freezer or a suspended machine)"


def _reason_of_gil(queued: _Queued) -> str:
    return f"other threads of the process had the interpreter's lock (GIL){_mostly(queued)}"


def _reason_of_queue(queued: _Queued) -> str:
    if queued.own_cpu_ns <= queued.waited_ns * (1 - _QUEUED_SHARE):
        return _OTHERS_HAD_IT
    return (
        "its thread was ready to run and got no processor, other threads of the process did"
        f"{_mostly(queued) or ','}"
    )


def _mostly(queued: _Queued) -> str:
    return f", mostly {quoted(queued.rival, 200)}," if queued.rival else ""


def _limit(events: Sequence[WindowEvent]) -> float:
    limits = (event.record.attributes.get(vitals.CPU_LIMIT, 0) for event in events)
    return min(limits, default=0)


def _limit_evidence(events: Sequence[WindowEvent]) -> dict[str, Any]:
    if not events:
        return {}
    periods = (event.record.attributes.get(vitals.THROTTLED_PERIODS, 0) for event in events)
    return {keys.LIMIT: _limit(events), keys.PERIODS: sum(periods)}


def _pressure_evidence(evidence: Evidence, request: WindowSpan) -> dict[str, Any]:
    """Return in how much of the worst second of a request anyone waited for a CPU."""
    seconds = [
        event
        for event in evidence.events_during(source_names.PRESSURE, request)
        if event.name == event_names.CPU_PRESSURE
    ]
    if not seconds:
        return {}
    worst = max(seconds, key=_stalled_share)
    return {
        keys.CPU_PRESSURE: round(_stalled_share(worst), 3),
        keys.CPU_PRESSURE_SCOPE: worst.record.attributes.get(vitals.PRESSURE_SCOPE, ""),
    }


def _stalled_share(event: WindowEvent) -> float:
    stalled_ns = float(event.record.attributes.get(vitals.STALLED, 0))
    return min(1.0, stalled_ns / max(1, event.duration_ns))


RULE: Final = Rule(
    name="cpu_starved",
    kind=Kind.CAUSE,
    title="It got no CPU",
    find=find_cpu_starved,
)
