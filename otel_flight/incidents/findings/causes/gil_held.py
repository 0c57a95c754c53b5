"""One thread that did not let go of the interpreter, so that no other could run Python code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.pauses import Pause
from otel_flight.incidents.evidence.standstill import (
    LEAST_SHARE,
    covered_ns,
    pauses_of,
    slow_request,
)
from otel_flight.incidents.evidence.view import EvidenceView, quoted, short_duration
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.interpreter.code_origin import short_file
from otel_flight.names import attributes as names
from otel_flight.names import process_attributes as vitals

_EXPLAINED_OTHERWISE: Final = 0.5
"""Of one hold that the process was throttled: then its limit is the reason."""


def find_gil_held(view: EvidenceView) -> Finding | None:
    """Name the function in which the thread was seen right after it let go, for whom, and how long.

    That function held the interpreter, or ran just after the one that did: nobody can look before
    others can run. Silent where the thread is not known, about holds that throttling accounts for
    (those of garbage collections are pauses of their own), and about one within a call to another
    service that had to be waited for anyway.
    """
    request = slow_request(view)
    if request is None:
        return None
    by_function: defaultdict[tuple[str, str], list[Pause]] = defaultdict(list)
    for pause in pauses_of(view, request, ("GIL held",)):
        if names.FUNCTION in pause.event.record.attributes and not _is_throttled(view, pause):
            by_function[_function(pause.event)].append(pause)
    longest = max(by_function.values(), key=lambda each: covered_ns(each, request), default=None)
    if longest is None:
        return None
    taken = covered_ns(longest, request)
    share = taken / request.duration_ns
    if share < LEAST_SHARE:
        return None
    event = max(longest, key=lambda each: each.event.record.duration_ns).event
    return Finding(
        rule="gil_held",
        summary=(
            f"a thread held the interpreter's lock (GIL) for {short_duration(taken)} of the "
            f"{short_duration(request.duration_ns)} of {quoted(request.record.name)} "
            f"({share:.0%}), so that no other could run; right after{_holds(longest)} it was in "
            f"{_place(event)}{_where(view, event, request)}"
        ),
        explained_share=share,
        evidence=_evidence(event, longest, taken),
    )


def _is_throttled(view: EvidenceView, pause: Pause) -> bool:
    start_ns, end_ns = pause.event.record.start_ns, pause.event.record.end_ns
    throttled = 0.0
    for event in view.events_between("throttling", start_ns, end_ns):
        record = event.record
        inside = min(record.end_ns, end_ns) - max(record.start_ns, start_ns)
        held_ns = record.attributes.get(vitals.HELD_BACK, 0)
        throttled += held_ns * max(0, inside) / max(1, record.duration_ns)
    return throttled >= (end_ns - start_ns) * _EXPLAINED_OTHERWISE


def _function(event: WindowEvent) -> tuple[str, str]:
    attributes = event.record.attributes
    return str(attributes[names.FUNCTION]), str(attributes.get(names.FILE, ""))


def _holds(pauses: Sequence[Pause]) -> str:
    return f" each of the {len(pauses)} times" if len(pauses) > 1 else ""


def _place(event: WindowEvent) -> str:
    function, file = _function(event)
    line = event.record.attributes.get(names.LINE, 0)
    return quoted(f"{function} ({short_file(file)}:{line})", 200)


def _where(view: EvidenceView, event: WindowEvent, request: WindowSpan) -> str:
    trace_id = event.record.trace_id
    if not trace_id:
        return "" if _is_own_thread(view, event, request) else ", on another thread"
    if trace_id == request.record.trace_id:
        return ", in this request itself"
    name = next((each.name for each in view.roots if each.trace_id == trace_id), "")
    named = f", {quoted(name)}" if name else ""
    return f", in another request{named}"


def _is_own_thread(view: EvidenceView, event: WindowEvent, request: WindowSpan) -> bool:
    root = view.local_root(request)
    return view.threads.get(root.record.span_id, 0) == event.record.thread_id


def _evidence(event: WindowEvent, pauses: Sequence[Pause], taken_ns: int) -> dict[str, Any]:
    record = event.record
    found = record.attributes
    place = {
        name: found[name] for name in (names.FUNCTION, names.FILE, names.LINE) if name in found
    }
    request = {"trace_id": f"{record.trace_id:032x}"} if record.trace_id else {}
    return {
        "duration_ns": taken_ns,
        "holds": len(pauses),
        "thread_id": record.thread_id,
        **{name: found[name] for name in (vitals.HOLDER_CPU,) if name in found},
        "seen_right_after": {**place, **request},
    }
