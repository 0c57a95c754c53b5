"""Work that did not fail by itself: a time limit above it ran out, or whoever wanted it was gone.

The SDK leaves no trace of a cancellation on the spans that it ends, but for their end. What shows
it is the exception that the limit raises further up, with the cancelled call in its traceback; or
what the server's instrumentation says of the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.expired_limits import expired_limit
from otel_flight.incidents.evidence.failures.raised import (
    Raised,
    application_frame,
    frames_in,
    raised,
    tracebacks_of,
)
from otel_flight.incidents.evidence.failures.unhandled import LONGEST_PLACE
from otel_flight.incidents.evidence.places import described, location, place_of
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import KIND_SERVER, WindowSpan
from otel_flight.intervals import Interval, overlap_ns
from otel_flight.names import evidence as keys
from otel_flight.names import span_attributes as names
from otel_flight.records.ids import span_text
from otel_flight.words import quoted, short_duration

_LIMITS: Final = re.compile(
    r"[/\\](?:asyncio[/\\]timeouts\.py|asyncio[/\\]tasks\.py|async_timeout[/\\]__init__\.py"
    r"|anyio[/\\]_core[/\\]_tasks\.py|trio[/\\]_timeouts\.py)$"
)
"""A time limit in one of these files cancels the work within it when its time is over, and then
raises one of `_TIMEOUTS`."""
_TIMEOUTS: Final = frozenset({"TimeoutError", "TooSlowError"})
_CANCELLED: Final = "CancelledError"
_JOB_LIMITS: Final = frozenset(
    {"SoftTimeLimitExceeded", "TimeLimitExceeded", "JobTimeoutException"}
)
"""A worker of Celery or RQ raises one of these into a job whose time is over."""
_LEAST_SHARE: Final = 0.2
"""A slow request that did not fail was made slow by something else where the cancelled work took a
smaller part of its time."""
_MOMENT_NS: Final = 10_000_000
"""What is cancelled ends at most this many nanoseconds before the limit's exception, or after the
caller was gone."""
_FIRST_TRACEBACK_NS: Final = 50_000_000
"""The limit's exception is recorded when its traceback is formatted, at most this many nanoseconds
later the first time: Python 3.15 imports modules for that. What ended before is not named."""
_GRPC_STATUSES: Final = {
    1: "was cancelled by its caller",
    4: "had a deadline, set by its caller, which passed",
}
_HTTP_CLIENT_GONE: Final = 499
"""Some servers give this status to a request whose client left."""


class _Cancellation(NamedTuple):
    """How work was cancelled.

    Attributes:
        how: what cancelled it and when, to go on with behind the name of `outer`.
        outer: the span that was cancelled, or in which something was.
        inner: what was running within it then; None when that is not known.
        place: the function that it was in, as far as that is known.
        taken_ns: how much of the time of a slow request the cancelled work took.
    """

    how: str
    outer: WindowSpan
    inner: WindowSpan | None = None
    place: str = ""
    taken_ns: int = 0


def find_cancelled_from_above(evidence: Evidence) -> Finding | None:
    """Say what cancelled the trigger's request, and where it was then.

    Silent where something beside it failed: then the cancellation is only how that came about.
    """
    trigger = evidence.trigger
    if trigger is None:
        return None
    found = (
        _by_a_limit(evidence, trigger)
        or _by_a_worker(evidence, trigger)
        or _by_the_caller(evidence, evidence.trace.local_root(trigger))
        or _from_outside(evidence, trigger)
        or _by_a_seen_limit(evidence, trigger)
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


def _evidence(found: _Cancellation) -> dict[str, Any]:
    evidence = {keys.SPAN_ID: span_text(found.outer.record.span_id), keys.SPAN: found.outer.name}
    if found.inner is not None:
        evidence[keys.CANCELLED] = found.inner.name
        evidence[keys.CANCELLED_SPAN_ID] = span_text(found.inner.record.span_id)
    return {**evidence, **location(found.place)}


def _by_a_limit(evidence: Evidence, trigger: WindowSpan) -> _Cancellation | None:
    """Look for the innermost span that recorded the exception of a time limit."""
    candidates = [trigger, *_failed_within(evidence, trigger)]
    if raised(trigger) is None or _is_cancelled(trigger):
        candidates += evidence.trace.ancestors(trigger)
    found = [span for span in candidates if _is_of_limit(raised(span))]
    if not found:
        return None
    outer = max(found, key=lambda span: span.start_ns)
    exception = raised(outer)
    assert exception is not None
    first, last = tracebacks_of(exception)[0], tracebacks_of(exception)[-1]
    limit = _innermost_application(last)
    place = _innermost_application(first) if _CANCELLED in first else ""
    ended_ns = _recorded_ns(outer)
    how = f"ran into a time limit after {short_duration(ended_ns - outer.start_ns)}"
    how += f", set in {quoted(limit, LONGEST_PLACE)}" if limit else ""
    inner = _running(evidence, outer, Interval(ended_ns - _MOMENT_NS, ended_ns)) or _running(
        evidence, outer, Interval(ended_ns - _FIRST_TRACEBACK_NS, ended_ns)
    )
    return _Cancellation(how, outer, inner, place, _shared_ns(evidence, outer))


def _shared_ns(evidence: Evidence, cancelled: WindowSpan) -> int:
    return 0 if evidence.slow is None else overlap_ns(cancelled, evidence.slow)


def _by_a_seen_limit(evidence: Evidence, trigger: WindowSpan) -> _Cancellation | None:
    """Look for a limit under which the request was seen until it was over.

    Nobody recorded an exception: the program went on without what was cut off.
    """
    over = evidence.once(expired_limit)
    if over is None:
        return None
    root = evidence.trace.local_root(trigger)
    how = f"ran into a time limit after {short_duration(over.end_ns - root.start_ns)}"
    how += f", set in {quoted(over.place, LONGEST_PLACE)}" if over.place else ""
    inner = _running(evidence, root, Interval(over.end_ns, over.end_ns + _MOMENT_NS))
    return _Cancellation(how, root, inner, place_of(over.last.frames), over.under_ns)


def _failed_within(evidence: Evidence, trigger: WindowSpan) -> Iterator[WindowSpan]:
    """Yield what failed below the trigger, if its own failure comes from there."""
    own = raised(trigger)
    for span in evidence.trace.descendants(trigger):
        below = raised(span)
        if below is None or not span.is_error:
            continue
        if own is None or (below.words and below.words in own.stacktrace):
            yield span


def _is_of_limit(exception: Raised | None) -> bool:
    if exception is None or exception.short_type not in _TIMEOUTS:
        return False
    frames = frames_in(tracebacks_of(exception)[-1])
    return bool(frames) and _LIMITS.search(frames[-1].file) is not None


def _by_a_worker(evidence: Evidence, trigger: WindowSpan) -> _Cancellation | None:
    exception = raised(trigger)
    if exception is None or exception.short_type not in _JOB_LIMITS:
        return None
    how = f"ran into its worker's time limit after {short_duration(trigger.duration_ns)}"
    place = _innermost_application(tracebacks_of(exception)[0])
    return _Cancellation(how, trigger, None, place, _shared_ns(evidence, trigger))


def _by_the_caller(evidence: Evidence, root: WindowSpan) -> _Cancellation | None:
    if root.record.kind != KIND_SERVER:
        return None
    attributes, after = root.record.attributes, short_duration(root.duration_ns)
    how = _GRPC_STATUSES.get(attributes.get(names.GRPC_STATUS_CODE, 0))
    if how is not None:
        return _Cancellation(f"{how}, after {after}", root)
    if _HTTP_CLIENT_GONE in (attributes.get(key) for key in names.HTTP_STATUS_CODES):
        return _Cancellation(f"was given up by its client after {after}", root)
    return _by_a_disconnect(evidence, root)


def _by_a_disconnect(evidence: Evidence, root: WindowSpan) -> _Cancellation | None:
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
    if not gone or root.is_open or root.end_ns - gone[0] > 2 * _MOMENT_NS:
        return None
    gone_ns = gone[0]
    sent = [
        span.start_ns for span in spans if _asgi_event(span).startswith(names.ASGI_RESPONSE_PREFIX)
    ]
    inner = _running(evidence, root, Interval(gone_ns, gone_ns + _MOMENT_NS))
    if inner is None or inner.start_ns >= min(gone_ns, max(sent, default=gone_ns)):
        return None
    after = short_duration(gone_ns - root.start_ns)
    return _Cancellation(f"was given up by its client after {after}", root, inner)


def _asgi_event(span: WindowSpan) -> str:
    return str(span.record.attributes.get(names.ASGI_EVENT_TYPE, ""))


def _from_outside(evidence: Evidence, trigger: WindowSpan) -> _Cancellation | None:
    """Look for a request that recorded its own cancellation, with nothing above that failed."""
    above = evidence.trace.ancestors(trigger)
    outermost = [trigger, *above][-1]
    if not any(_is_cancelled(span) for span in (trigger, outermost)):
        return None
    if any(span.is_error and not _is_cancelled(span) for span in above):
        return None
    cancelled = outermost if _is_cancelled(outermost) else trigger
    exception = raised(cancelled)
    place = _innermost_application(tracebacks_of(exception)[0]) if exception is not None else ""
    ended_ns = _recorded_ns(cancelled)
    how = f"was cancelled from outside after {short_duration(ended_ns - cancelled.start_ns)}"
    inner = _running(evidence, cancelled, Interval(ended_ns - _MOMENT_NS, ended_ns))
    return _Cancellation(how, cancelled, inner, place)


def _is_cancelled(span: WindowSpan) -> bool:
    exception = raised(span)
    return exception is not None and exception.short_type == _CANCELLED


def _recorded_ns(span: WindowSpan) -> int:
    """Return when a span recorded its exception."""
    events = [each for each in span.record.events if each.name == names.EXCEPTION_EVENT]
    return events[-1].time_ns if events else span.end_ns


def _running(evidence: Evidence, above: WindowSpan, then: Interval) -> WindowSpan | None:
    """Return the innermost span below another that ended in a stretch of time without an error.

    The spans of single ASGI messages do not count: they are not the application's.
    """
    ended = [
        span
        for span in evidence.trace.descendants(above)
        if then.start_ns <= span.end_ns <= then.end_ns
        and not span.is_open
        and not span.is_error
        and names.ASGI_EVENT_TYPE not in span.record.attributes
    ]
    return max(ended, key=lambda span: (span.start_ns, -span.end_ns), default=None)


def _innermost_application(traceback: str) -> str:
    """Return the innermost place of a traceback that is the application's own."""
    frame = application_frame(frames_in(traceback))
    return "" if frame is None else described(frame)


RULE: Final = Rule(
    name="cancelled_from_above",
    kind=Kind.FAILURE,
    title="It was cancelled from above",
    find=find_cancelled_from_above,
)
