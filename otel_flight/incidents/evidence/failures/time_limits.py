"""How work was cut off from above: what shows a time limit, and what was running within it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from otel_flight.ground.intervals import Interval, overlap_ns
from otel_flight.incidents.evidence.callers import words_of_caller
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.expired_limits import expired_limit
from otel_flight.incidents.evidence.failures.named_limits import limit_named_by, limit_named_in
from otel_flight.incidents.evidence.failures.raised import (
    Raised,
    application_frame,
    frames_in,
    raised,
    tracebacks_of,
)
from otel_flight.incidents.evidence.failures.unhandled import LONGEST_PLACE
from otel_flight.incidents.evidence.places import described, place_of
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import span_attributes as names
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
MOMENT_NS: Final = 10_000_000
"""What is cancelled ends at most this many nanoseconds before the limit's exception, or after the
caller was gone."""
_FIRST_TRACEBACK_NS: Final = 50_000_000
"""The limit's exception is recorded when its traceback is formatted, at most this many nanoseconds
later the first time: Python 3.15 imports modules for that. What ended before is not named."""


class Cancellation(NamedTuple):
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


def by_a_time_limit(evidence: Evidence, trigger: WindowSpan) -> Cancellation | None:
    """Return how a time limit cut off the trigger's request, or work within it; None: none did."""
    return (
        _by_a_limit(evidence, trigger)
        or _by_a_named_limit(evidence, trigger)
        or _by_a_worker(evidence, trigger)
    )


def _by_a_limit(evidence: Evidence, trigger: WindowSpan) -> Cancellation | None:
    """Look for the innermost span that recorded the exception of a time limit."""
    candidates = [trigger, *_failed_within(evidence, trigger)]
    if raised(trigger) is None or is_cancelled(trigger):
        candidates += evidence.trace.ancestors(trigger)
    found = [span for span in candidates if _is_of_limit(raised(span))]
    if not found:
        return None
    outer = max(found, key=lambda span: span.start_ns)
    exception = raised(outer)
    assert exception is not None
    first, last = tracebacks_of(exception)[0], tracebacks_of(exception)[-1]
    limit = innermost_application(last)
    place = innermost_application(first) if _CANCELLED in first else ""
    ended_ns = recorded_ns(outer)
    how = f"ran into a time limit after {short_duration(ended_ns - outer.start_ns)}"
    how += f", set in {quoted(limit, LONGEST_PLACE)}" if limit else ""
    inner = running_then(evidence, outer, Interval(ended_ns - MOMENT_NS, ended_ns)) or running_then(
        evidence, outer, Interval(ended_ns - _FIRST_TRACEBACK_NS, ended_ns)
    )
    return Cancellation(how, outer, inner, place, _shared_ns(evidence, outer))


def _shared_ns(evidence: Evidence, cancelled: WindowSpan) -> int:
    return 0 if evidence.slow is None else overlap_ns(cancelled, evidence.slow)


def _by_a_named_limit(evidence: Evidence, trigger: WindowSpan) -> Cancellation | None:
    """Look for the innermost span whose error names a limit: a database's, a client's, a call's."""
    own = raised(trigger)
    named = limit_named_by(own.stacktrace) if own is not None else ""
    found = [
        (span, limit)
        for span in (trigger, *evidence.trace.descendants(trigger))
        if (limit := limit_named_in(span) if span.is_error else "")
        and (own is None or span is trigger or limit == named)
    ]
    if not found:
        return None
    outer, limit = max(found, key=lambda each: each[0].start_ns)
    # A driver's span has seen nothing of the traceback outside of it.
    failed = filter(None, map(raised, (outer, *evidence.trace.ancestors(outer))))
    tracebacks = (each for exception in failed for each in tracebacks_of(exception))
    place = next(filter(None, map(innermost_application, tracebacks)), "")
    how = f"ran into a time limit, {limit}, after {short_duration(outer.duration_ns)}"
    if not place:
        how += words_of_caller(evidence, outer)
    return Cancellation(how, outer, None, place, _shared_ns(evidence, outer))


def by_a_seen_limit(evidence: Evidence, trigger: WindowSpan) -> Cancellation | None:
    """Look for a limit under which the request was seen until it was over.

    Nobody recorded an exception: the program went on without what was cut off.
    """
    over = evidence.once(expired_limit)
    if over is None:
        return None
    root = evidence.trace.local_root(trigger)
    how = f"ran into a time limit after {short_duration(over.end_ns - root.start_ns)}"
    how += f", set in {quoted(over.place, LONGEST_PLACE)}" if over.place else ""
    inner = running_then(evidence, root, Interval(over.end_ns, over.end_ns + MOMENT_NS))
    return Cancellation(how, root, inner, place_of(over.last.frames), over.under_ns)


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


def _by_a_worker(evidence: Evidence, trigger: WindowSpan) -> Cancellation | None:
    exception = raised(trigger)
    if exception is None or exception.short_type not in _JOB_LIMITS:
        return None
    how = f"ran into its worker's time limit after {short_duration(trigger.duration_ns)}"
    place = innermost_application(tracebacks_of(exception)[0])
    return Cancellation(how, trigger, None, place, _shared_ns(evidence, trigger))


def is_cancelled(span: WindowSpan) -> bool:
    """Return whether a span recorded that it was cancelled."""
    exception = raised(span)
    return exception is not None and exception.short_type == _CANCELLED


def recorded_ns(span: WindowSpan) -> int:
    """Return when a span recorded its exception."""
    events = [each for each in span.record.events if each.name == names.EXCEPTION_EVENT]
    return events[-1].time_ns if events else span.end_ns


def running_then(evidence: Evidence, above: WindowSpan, then: Interval) -> WindowSpan | None:
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


def innermost_application(traceback: str) -> str:
    """Return the innermost place of a traceback that is the application's own."""
    frame = application_frame(frames_in(traceback))
    return "" if frame is None else described(frame)
