"""Work that did not fail by itself: a time limit above it ran out, or whoever wanted it was gone.

The SDK leaves no trace of a cancellation on the spans that it ends, but for their end. What tells
is the exception that the limit raises further up, with the cancelled call in its traceback; or what
the server's instrumentation says of the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.raised import Raised, raised, tracebacks_of
from otel_flight.incidents.evidence.view import (
    STATUS_ERROR,
    EvidenceView,
    quoted,
    short_duration,
    span_id_text,
    time_within,
)
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan
from otel_flight.interpreter.code_origin import is_application, short_file

_LIMITS: Final = re.compile(
    r"[/\\](?:asyncio[/\\]timeouts\.py|asyncio[/\\]tasks\.py|async_timeout[/\\]__init__\.py"
    r"|anyio[/\\]_core[/\\]_tasks\.py|trio[/\\]_timeouts\.py)$"
)
"""The files of what cancels the work within it when its time is over, and then says so."""
_TIMEOUTS: Final = frozenset({"TimeoutError", "TooSlowError"})
_CANCELLED: Final = "CancelledError"
_JOB_LIMITS: Final = frozenset(
    {"SoftTimeLimitExceeded", "TimeLimitExceeded", "JobTimeoutException"}
)
"""Raised into a job by its worker: Celery's and RQ's."""
_FRAME: Final = re.compile(r'^ *File "([^"\n]*)", line (\d+), in ([^\n]*)$', re.MULTILINE)
_LEAST_SHARE: Final = 0.2
"""Of a slow request that did not fail: below that, something else made it slow."""
_CUT_NS: Final = 10_000_000
"""How soon before the limit's exception, or after the caller was gone, what is cancelled ends."""
_KIND_SERVER: Final = 1
_GRPC: Final = {
    1: "was cancelled by its caller",
    4: "had a deadline, set by its caller, which passed",
}
_HTTP_CLIENT_GONE: Final = 499


class _Cut(NamedTuple):
    """How something was cut off."""

    by: str
    """What did it, to go on a sentence with."""
    holder: WindowSpan
    """The span that was cut off, or in which something was."""
    inner: WindowSpan | None
    """What was running within it then."""
    waited_in: str
    """Function and place that it was in, as far as that is known."""
    explains_time: bool


def find_cancelled_from_above(view: EvidenceView) -> Finding | None:
    """Say what cut the trigger's request off, and where it was then.

    Silent where something beside it failed: then the cancellation is only how that was told.
    """
    if view.trigger is None:
        return None
    cut = (
        _by_a_limit(view, view.trigger)
        or _by_a_worker(view.trigger)
        or _by_the_caller(view, view.local_root(view.trigger))
        or _by_a_cancellation(view, view.trigger)
    )
    if cut is None:
        return None
    measured = view.slow
    share = 0.0
    if measured is not None and measured.duration_ns > 0 and cut.explains_time:
        share = time_within([cut.holder], measured) / measured.duration_ns
        if share < _LEAST_SHARE and view.trigger.record.status_code != STATUS_ERROR:
            return None
    text = f"{quoted(cut.holder.record.name)} {cut.by}"
    if cut.inner is not None:
        text += f"; {quoted(cut.inner.record.name)} was running within it"
    if cut.waited_in:
        text += f", in {quoted(cut.waited_in, 160)}"
    return Finding(
        rule="cancelled_from_above",
        summary=text,
        explained_share=share,
        evidence={
            "span_id": span_id_text(cut.holder),
            "span": cut.holder.record.name,
            **({"cancelled": cut.inner.record.name} if cut.inner is not None else {}),
            **({"cancelled_span_id": span_id_text(cut.inner)} if cut.inner is not None else {}),
            **({"code.location": cut.waited_in} if cut.waited_in else {}),
        },
    )


def _by_a_limit(view: EvidenceView, trigger: WindowSpan) -> _Cut | None:
    """Look for the innermost span that recorded the exception of a time limit."""
    candidates = [trigger, *_failed_within(view, trigger)]
    if raised(trigger) is None or _is_cancelled(trigger):
        candidates += view.ancestors(trigger)
    found = [span for span in candidates if _is_of_limit(raised(span))]
    if not found:
        return None
    holder = max(found, key=lambda span: span.record.start_ns)
    exception = raised(holder)
    assert exception is not None
    first, last = tracebacks_of(exception)[0], tracebacks_of(exception)[-1]
    limit = _innermost_application(last)
    waited = _innermost_application(first) if _CANCELLED in first else ""
    ended_ns = _recorded_ns(holder)
    by = f"ran into a time limit after {short_duration(ended_ns - holder.record.start_ns)}"
    by += f", set in {quoted(limit, 160)}" if limit else ""
    return _Cut(by, holder, _running(view, holder, ended_ns - _CUT_NS, ended_ns), waited, True)


def _failed_within(view: EvidenceView, trigger: WindowSpan) -> Iterator[WindowSpan]:
    """Yield what failed below the trigger, if its own failure comes from there."""
    own = raised(trigger)
    for span in view.descendants(trigger):
        below = raised(span)
        if below is None or span.record.status_code != STATUS_ERROR:
            continue
        if own is None or (below.words and below.words in own.stacktrace):
            yield span


def _is_of_limit(exception: Raised | None) -> bool:
    if exception is None or exception.type.rpartition(".")[2] not in _TIMEOUTS:
        return False
    frames = _FRAME.findall(tracebacks_of(exception)[-1])
    return bool(frames) and _LIMITS.search(frames[-1][0]) is not None


def _by_a_worker(trigger: WindowSpan) -> _Cut | None:
    exception = raised(trigger)
    kind = exception.type.rpartition(".")[2] if exception is not None else ""
    if exception is None or kind not in _JOB_LIMITS:
        return None
    after = short_duration(trigger.duration_ns)
    waited = _innermost_application(tracebacks_of(exception)[0])
    return _Cut(f"ran into its worker's time limit after {after}", trigger, None, waited, True)


def _by_the_caller(view: EvidenceView, root: WindowSpan) -> _Cut | None:
    record = root.record
    if record.kind != _KIND_SERVER:
        return None
    how = _GRPC.get(record.attributes.get("rpc.grpc.status_code", 0))
    if how is not None:
        return _Cut(f"{how}, after {short_duration(root.duration_ns)}", root, None, "", False)
    codes = (
        record.attributes.get(key) for key in ("http.response.status_code", "http.status_code")
    )
    if _HTTP_CLIENT_GONE in codes:
        after = short_duration(root.duration_ns)
        return _Cut(f"was given up by its client after {after}", root, None, "", False)
    return _by_a_disconnect(view, root)


def _by_a_disconnect(view: EvidenceView, root: WindowSpan) -> _Cut | None:
    """Look for what the instrumentation of ASGI tells of a client that left.

    A server also says "disconnect" when a response is complete. So something must have been running
    since before the last part of the response was sent, and have ended when the client was gone.
    """
    spans = list(view.descendants(root))
    gone_ns = [
        span.record.end_ns
        for span in spans
        if span.record.attributes.get("asgi.event.type") == "http.disconnect"
        and span.record.end_ns < root.record.end_ns
    ]
    if not gone_ns or root.is_open or root.record.end_ns - gone_ns[0] > 2 * _CUT_NS:
        return None
    sent = [
        span.record.start_ns
        for span in spans
        if str(span.record.attributes.get("asgi.event.type", "")).startswith("http.response")
    ]
    inner = _running(view, root, gone_ns[0], gone_ns[0] + _CUT_NS)
    if inner is None or inner.record.start_ns >= gone_ns[0]:
        return None
    if sent and inner.record.start_ns >= max(sent):
        return None
    after = short_duration(gone_ns[0] - root.record.start_ns)
    return _Cut(f"was given up by its client after {after}", root, inner, "", False)


def _by_a_cancellation(view: EvidenceView, trigger: WindowSpan) -> _Cut | None:
    """Look for a request that recorded its own cancellation, with nothing above that failed."""
    above = view.ancestors(trigger)
    outermost = [trigger, *above][-1]
    if not any(_is_cancelled(span) for span in (trigger, outermost)):
        return None
    if any(span.record.status_code == STATUS_ERROR and not _is_cancelled(span) for span in above):
        return None
    cancelled = outermost if _is_cancelled(outermost) else trigger
    exception = raised(cancelled)
    waited = _innermost_application(tracebacks_of(exception)[0]) if exception is not None else ""
    ended_ns = _recorded_ns(cancelled)
    after = short_duration(ended_ns - cancelled.record.start_ns)
    inner = _running(view, cancelled, ended_ns - _CUT_NS, ended_ns)
    return _Cut(f"was cancelled from outside after {after}", cancelled, inner, waited, False)


def _is_cancelled(span: WindowSpan) -> bool:
    exception = raised(span)
    return exception is not None and exception.type.rpartition(".")[2] == _CANCELLED


def _recorded_ns(span: WindowSpan) -> int:
    """Return when a span recorded its exception."""
    times = [event.time_ns for event in span.record.events if event.name == "exception"]
    return times[-1] if times else span.record.end_ns


def _running(view: EvidenceView, above: WindowSpan, from_ns: int, to_ns: int) -> WindowSpan | None:
    """Return the innermost span below another that ended between two moments without an error."""
    ended = [
        span
        for span in _descendants_of_application(view, above)
        if from_ns <= span.record.end_ns <= to_ns
        and not span.is_open
        and span.record.status_code != STATUS_ERROR
    ]
    return max(ended, key=lambda span: (span.record.start_ns, -span.record.end_ns), default=None)


def _descendants_of_application(view: EvidenceView, above: WindowSpan) -> Iterable[WindowSpan]:
    return (
        span for span in view.descendants(above) if "asgi.event.type" not in span.record.attributes
    )


def _innermost_application(traceback: str) -> str:
    """Return the innermost place of a traceback that is the application's own."""
    for file, line, function in reversed(_FRAME.findall(traceback)):
        if is_application(file):
            return f"{function} ({short_file(file)}:{line})"
    return ""
