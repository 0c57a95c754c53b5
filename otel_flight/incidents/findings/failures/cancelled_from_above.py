"""Work that did not fail by itself: a time limit above it ran out, or whoever wanted it was gone.

The SDK leaves no trace of a cancellation on the spans that it ends, but for their end. What shows
it is the exception that the limit raises further up, with the cancelled call in its traceback; or
what the server's instrumentation says of the caller.
"""

from __future__ import annotations

from typing import Any, Final

from otel_flight.ground.intervals import Interval
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.raised import raised, tracebacks_of
from otel_flight.incidents.evidence.failures.time_limits import (
    MOMENT_NS,
    Cancellation,
    by_a_seen_limit,
    by_a_time_limit,
    innermost_application,
    is_cancelled,
    recorded_ns,
    running_then,
)
from otel_flight.incidents.evidence.failures.unhandled import LONGEST_PLACE
from otel_flight.incidents.evidence.places import location
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import KIND_SERVER, WindowSpan
from otel_flight.names import evidence as keys
from otel_flight.names import span_attributes as names
from otel_flight.records.ids import span_text
from otel_flight.words import quoted, short_duration

_LEAST_SHARE: Final = 0.2
"""A slow request that did not fail was made slow by something else where the cancelled work took a
smaller part of its time."""
_GRPC_STATUSES: Final = {
    1: "was cancelled by its caller",
    4: "had a deadline, set by its caller, which passed",
}
_HTTP_CLIENT_GONE: Final = 499
"""Some servers give this status to a request whose client left."""


def find_cancelled_from_above(evidence: Evidence) -> Finding | None:
    """Say what cancelled the trigger's request, and where it was then.

    Silent where something beside it failed: then the cancellation is only how that came about.
    """
    trigger = evidence.trigger
    if trigger is None:
        return None
    found = (
        by_a_time_limit(evidence, trigger)
        or _by_the_caller(evidence, evidence.trace.local_root(trigger))
        or _from_outside(evidence, trigger)
        or by_a_seen_limit(evidence, trigger)
    )
    if found is None:
        return None
    share, slow = 0.0, evidence.slow
    if slow is not None and slow.duration_ns > 0 and found.taken_ns:
        share = min(1.0, found.taken_ns / slow.duration_ns)
        if share < _LEAST_SHARE and not trigger.is_error:
            return None
    text = f"{quoted(found.outer.name)} {found.how}"
    if found.inner is not None:
        text += f"; {quoted(found.inner.name)} was running within it"
    if found.place:
        text += f", in {quoted(found.place, LONGEST_PLACE)}"
    return Finding(rule=RULE.name, summary=text, explained_share=share, evidence=_evidence(found))


def _evidence(found: Cancellation) -> dict[str, Any]:
    evidence = {keys.SPAN_ID: span_text(found.outer.record.span_id), keys.SPAN: found.outer.name}
    if found.inner is not None:
        evidence[keys.CANCELLED] = found.inner.name
        evidence[keys.CANCELLED_SPAN_ID] = span_text(found.inner.record.span_id)
    return {**evidence, **location(found.place)}


def _by_the_caller(evidence: Evidence, root: WindowSpan) -> Cancellation | None:
    if root.record.kind != KIND_SERVER:
        return None
    attributes, after = root.record.attributes, short_duration(root.duration_ns)
    how = _GRPC_STATUSES.get(attributes.get(names.GRPC_STATUS_CODE, 0))
    if how is not None:
        return Cancellation(f"{how}, after {after}", root)
    if _HTTP_CLIENT_GONE in (attributes.get(key) for key in names.HTTP_STATUS_CODES):
        return Cancellation(f"was given up by its client after {after}", root)
    return _by_a_disconnect(evidence, root)


def _by_a_disconnect(evidence: Evidence, root: WindowSpan) -> Cancellation | None:
    """Look for what the instrumentation of ASGI recorded of a client that left.

    A server also says "disconnect" when a response is complete. So something must have been running
    since before the last part of the response was sent, and have ended when the client was gone.
    """
    spans = list(evidence.trace.descendants(root))
    gone = [
        span.end_ns
        for span in spans
        if _asgi_event(span) == names.ASGI_DISCONNECT and span.end_ns < root.end_ns
    ]
    if not gone or root.is_open or root.end_ns - gone[0] > 2 * MOMENT_NS:
        return None
    gone_ns = gone[0]
    sent = [
        span.start_ns for span in spans if _asgi_event(span).startswith(names.ASGI_RESPONSE_PREFIX)
    ]
    inner = running_then(evidence, root, Interval(gone_ns, gone_ns + MOMENT_NS))
    if inner is None or inner.start_ns >= min(gone_ns, max(sent, default=gone_ns)):
        return None
    after = short_duration(gone_ns - root.start_ns)
    return Cancellation(f"was given up by its client after {after}", root, inner)


def _asgi_event(span: WindowSpan) -> str:
    return str(span.record.attributes.get(names.ASGI_EVENT_TYPE, ""))


def _from_outside(evidence: Evidence, trigger: WindowSpan) -> Cancellation | None:
    """Look for a request that recorded its own cancellation, with nothing above that failed."""
    above = evidence.trace.ancestors(trigger)
    outermost = [trigger, *above][-1]
    if not any(is_cancelled(span) for span in (trigger, outermost)):
        return None
    if any(span.is_error and not is_cancelled(span) for span in above):
        return None
    cancelled = outermost if is_cancelled(outermost) else trigger
    exception = raised(cancelled)
    place = innermost_application(tracebacks_of(exception)[0]) if exception is not None else ""
    ended_ns = recorded_ns(cancelled)
    how = f"was cancelled from outside after {short_duration(ended_ns - cancelled.start_ns)}"
    inner = running_then(evidence, cancelled, Interval(ended_ns - MOMENT_NS, ended_ns))
    return Cancellation(how, cancelled, inner, place)


RULE: Final = Rule(
    name="cancelled_from_above",
    kind=Kind.FAILURE,
    title="It was cancelled from above",
    find=find_cancelled_from_above,
)
