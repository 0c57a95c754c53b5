"""Which thread did not release the GIL, what it was doing, and for which request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Final

from otel_flight.interpreter.code.origin import is_standard
from otel_flight.interpreter.code.places import Place
from otel_flight.interpreter.concurrency.greenlets import is_running as is_greenlet_running
from otel_flight.interpreter.concurrency.tasks import running_task
from otel_flight.interpreter.frames import CAN_READ_FRAMES, current_stack, places_in
from otel_flight.names import process_attributes as names
from otel_flight.recording.open_spans import OpenSpans, greenlet_of, task_of
from otel_flight.sources.kernel.thread_clocks import ThreadClocks, Used
from otel_flight.sources.stacks.culprits import culprit_attributes

_HOLDER_SHARE: Final = 0.7
"""A thread is the holder when it used at least this share of the CPU time of all threads."""
_BUSY_SHARE: Final = 0.25
"""The threads must have had a CPU for at least this share of the time for that to say anything: on
a busy machine they do not have it all the while."""
_ALONE_SHARE: Final = 0.9
_WITHOUT_BREAK_NS: Final = 50_000_000
"""On a very busy machine, a thread has the GIL that used at least this part of the CPU time of all
threads, and so many nanoseconds of a CPU after it was asked for it: Python code gives it up before.
"""
_IDLE_SHARE: Final = 0.1
"""A holder that itself waited for something used at most this share of the time."""
_CONTENDER_SHARE: Final = 0.1


@dataclass(frozen=True)
class Holder:
    """The thread, as far as it is known.

    Attributes:
        thread_id: 0: not known.
        is_contended: whether no single thread held it: some shared it.
        places: its stack right after, outermost first.
        trace_id: of the request it was serving; 0: none, or not known.
        span_id: of the same.
        attributes: more about it.
    """

    thread_id: int = 0
    is_contended: bool = False
    places: Sequence[Place] = ()
    trace_id: int = 0
    span_id: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)


def find_holder(
    clocks: ThreadClocks, open_spans: OpenSpans, late_ns: int, cpu_ns: int, asked_ns: int = 0
) -> Holder:
    """Return who held the GIL until just now.

    To be called at once by the thread that waited for it, before it lets go of it again: then the
    holder stands where it released the GIL, at the end of a native call or just after.

    Args:
        clocks: noted before.
        open_spans: what is being served.
        late_ns: for how long it was held.
        cpu_ns: what all threads but the calling one used meanwhile.
        asked_ns: how long of that time it was not asked for.
    """
    found = clocks.used()
    used = [each for each in found if not each.is_running]
    cpu_ns -= sum(each.cpu_ns for each in found if each.is_running)
    thread_id = choose(used, late_ns, cpu_ns, asked_ns)
    if not thread_id and cpu_ns >= late_ns * _IDLE_SHARE:
        number = sum(each.cpu_ns >= cpu_ns * _CONTENDER_SHARE for each in used)
        return Holder(is_contended=True, attributes={names.CONTENDERS: number})
    if not thread_id or not CAN_READ_FRAMES:
        return Holder(thread_id)
    # A thread that collected lets go in our callback.
    places: Sequence[Place] = places_in(current_stack(thread_id))
    if all(is_standard(code.co_filename) for code, _ in places if isinstance(code, CodeType)):
        places = ()  # a pool's thread that has done its work, and waits for more
    trace_id, span_id = _request_on(thread_id, open_spans)
    own_ns = next(each.cpu_ns for each in used if each.thread_id == thread_id)
    attributes = {names.HOLDER_CPU: own_ns, **culprit_attributes(places)}
    return Holder(thread_id, False, places, trace_id, span_id, attributes)


def choose(used: Sequence[Used], late_ns: int, cpu_ns: int, asked_ns: int = 0) -> int:
    """Return the thread that alone had a CPU, 0 when that is in doubt.

    Who waits for something without releasing the GIL uses no CPU: then it is only
    known when nobody did, and there is no other thread.

    Args:
        used: what threads used that can have been the one.
        late_ns: for how long the GIL was held.
        cpu_ns: what they used together with those that have ended.
        asked_ns: how long before that time they may have used it, too.
    """
    if cpu_ns < late_ns * _IDLE_SHARE:
        return used[0].thread_id if len(used) == 1 else 0
    most = max(used, key=lambda each: each.cpu_ns, default=None)
    if most is None:
        return 0
    together_ns = max(cpu_ns, sum(each.cpu_ns for each in used))
    if most.cpu_ns >= late_ns * _BUSY_SHARE:
        return most.thread_id if most.cpu_ns >= together_ns * _HOLDER_SHARE else 0
    is_alone = most.cpu_ns >= together_ns * _ALONE_SHARE
    return most.thread_id if is_alone and most.cpu_ns - asked_ns >= _WITHOUT_BREAK_NS else 0


def _request_on(thread_id: int, open_spans: OpenSpans) -> tuple[int, int]:
    """Return trace id and span id of the one request that a thread was working for."""
    found = []
    for root in dict(open_spans.roots).values():
        span, started_on, reference, _ = root
        task = task_of(root)
        is_running = task is not None and running_task(task.get_loop()) is task
        is_running = is_running or is_greenlet_running(greenlet_of(root))
        if started_on == thread_id and (reference is None or is_running):
            found.append(span)
    if len(found) != 1:
        return 0, 0
    context = found[0].get_span_context()
    return (context.trace_id, context.span_id) if context is not None else (0, 0)
