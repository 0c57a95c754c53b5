"""Where an error came from: the deepest failed span from which the failures above it stem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.raised import (
    LONGEST_MESSAGE,
    Raised,
    failure_words,
    first_raised,
    raised,
)
from otel_flight.incidents.evidence.view import (
    ERROR_TRIGGERS,
    STATUS_ERROR,
    EvidenceView,
    one_line,
    quoted,
    span_id_text,
    time_within,
)
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan

_MOST_NAMED: Final = 3
_NOTHING: Final = Raised("", "", "")


def find_error_origin(view: EvidenceView) -> Finding | None:
    """Name the failed span the trigger's failure stems from, or the one that failed within it.

    An error below that was handled is none of the origin: a failed child counts only when its
    parent recorded the same exception, one raised from it, or none at all.
    """
    if view.trigger is None:
        return None
    has_failed = _has_failed(view, view.trigger)
    top = _told_above(view, view.trigger) if has_failed else _failed_below(view, view.trigger)
    if top is None:
        return None
    origin = _origin(view, top)
    detail = failure_words(origin)
    above = [span for span in view.ancestors(origin) if _has_failed(view, span)]
    if not detail and not above and origin is view.trigger:
        return None
    measured = view.slow or view.trigger
    is_slow = view.slow is not None and measured.duration_ns > 0
    return Finding(
        rule="error_origin",
        summary=_summary(origin, detail, above),
        explained_share=time_within([origin], measured) / measured.duration_ns if is_slow else 0.0,
        evidence=_evidence(origin, above),
    )


def _has_failed(view: EvidenceView, span: WindowSpan) -> bool:
    if span.record.status_code == STATUS_ERROR:
        return True
    cause = view.incident.manifest.trigger  # a cancelled span has an exception but no status
    is_cause = cause is not None and cause.trigger in ERROR_TRIGGERS
    return is_cause and view.trigger is span and raised(span) is not None


def _told_above(view: EvidenceView, span: WindowSpan) -> WindowSpan:
    """Return the failed span above one without an exception that tells it, else the span itself.

    What sends the answer to a request that raised an exception fails first, with its status alone.
    """
    for above in () if raised(span) is not None else view.ancestors(span):
        if not _has_failed(view, above):
            break
        if raised(above) is not None:
            return above
    return span


def _failed_below(view: EvidenceView, span: WindowSpan) -> WindowSpan | None:
    """Return the failed span below one that has not failed that took longest."""
    failed = [found for found in view.descendants(span) if _has_failed(view, found)]
    ids = {found.record.span_id for found in failed}
    outermost = [found for found in failed if found.record.parent_span_id not in ids]
    return max(outermost, key=lambda found: found.duration_ns, default=None)


def _origin(view: EvidenceView, top: WindowSpan) -> WindowSpan:
    origin = top
    for _ in view.trace:
        failed = [
            child
            for child in view.children(origin)
            if _has_failed(view, child) and _stems_from(origin, child)
        ]
        if not failed:
            break
        origin = max(failed, key=lambda child: child.record.end_ns)
    return origin


def _stems_from(parent: WindowSpan, child: WindowSpan) -> bool:
    """Tell whether the parent's failure is the child's, as far as it can be told."""
    if child.is_open or (not parent.is_open and child.record.end_ns > parent.record.end_ns):
        return False
    above, below = raised(parent), raised(child)
    if above is None:
        return True
    if below is None:
        return False
    is_same = (above.type, above.message) == (below.type, below.message)
    return is_same or f"{below.type}: {below.message}".strip(": ") in above.stacktrace


def _summary(origin: WindowSpan, detail: str, above: Sequence[WindowSpan]) -> str:
    text = f"{quoted(origin.record.name)} failed"
    if detail:
        text += f" with {detail}"
    first = first_raised(raised(origin) or _NOTHING)
    if first.words:
        text += f", which began with {first.words}"
    if first.place:
        text += f" (at {first.place})"
    if above:
        names = [quoted(span.record.name) for span in above]
        more = len(names) - _MOST_NAMED
        text += f"; so did {', '.join(names[:_MOST_NAMED])} above it"
        text += f" and {more} more" if more > 0 else ""
    return text


def _evidence(origin: WindowSpan, above: Sequence[WindowSpan]) -> dict[str, Any]:
    exception = raised(origin)
    evidence: dict[str, Any] = {"span_id": span_id_text(origin), "span": origin.record.name}
    if exception is not None:
        first = first_raised(exception)
        evidence["exception.type"] = exception.type
        evidence["exception.message"] = one_line(exception.message, LONGEST_MESSAGE)
        evidence |= {"first_exception": first.words} if first.words else {}
        evidence |= {"code.location": first.place} if first.place else {}
    if above:
        evidence["failed_above"] = [span.record.name for span in above]
    return evidence
