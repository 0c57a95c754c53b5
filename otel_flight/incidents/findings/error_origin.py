"""Where an error came from: the deepest failed span from which the failures above it stem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from otel_flight.incidents.findings.base import (
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

_LONGEST_MESSAGE: Final = 200
_MOST_NAMED: Final = 3
_CODES: Final = ("http.response.status_code", "http.status_code", "rpc.grpc.status_code")


class _Raised(NamedTuple):
    """An exception that a span recorded."""

    type: str
    message: str
    stacktrace: str


def find_error_origin(view: EvidenceView) -> Finding | None:
    """Name the failed span the trigger's failure stems from, or the one that failed within it.

    An error below that was handled is none of the origin: a failed child counts only when its
    parent recorded the same exception, one raised from it, or none at all.
    """
    if view.trigger is None:
        return None
    top = view.trigger if _has_failed(view, view.trigger) else _failed_below(view, view.trigger)
    if top is None:
        return None
    origin = _origin(view, top)
    detail = _detail(origin)
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
    return is_cause and view.trigger is span and _raised(span) is not None


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
    above, below = _raised(parent), _raised(child)
    if above is None:
        return True
    if below is None:
        return False
    is_same = (above.type, above.message) == (below.type, below.message)
    return is_same or f"{below.type}: {below.message}".strip(": ") in above.stacktrace


def _raised(span: WindowSpan) -> _Raised | None:
    for event in reversed(span.record.events):
        if event.name == "exception":
            attributes = event.attributes
            return _Raised(
                str(attributes.get("exception.type", "")),
                str(attributes.get("exception.message", "")),
                str(attributes.get("exception.stacktrace", "")),
            )
    return None


def _detail(span: WindowSpan) -> str:
    raised = _raised(span)
    if raised is not None and (raised.type or raised.message):
        name = raised.type.rpartition(".")[2]  # the module stands in the evidence
        return one_line(f"{name}: {raised.message}".strip(": "), _LONGEST_MESSAGE)
    if span.record.status_description:
        return one_line(span.record.status_description, _LONGEST_MESSAGE)
    attributes = span.record.attributes
    code = next((attributes[key] for key in _CODES if key in attributes), None)
    if code is not None:
        return f"status code {code}"
    return one_line(str(attributes.get("error.type", "")), _LONGEST_MESSAGE)


def _summary(origin: WindowSpan, detail: str, above: Sequence[WindowSpan]) -> str:
    text = f"{quoted(origin.record.name)} failed"
    if detail:
        text += f" with {detail}"
    if frame := _frame(origin):
        text += f" (at {frame})"
    if above:
        names = [quoted(span.record.name) for span in above]
        more = len(names) - _MOST_NAMED
        text += f"; so did {', '.join(names[:_MOST_NAMED])} above it"
        text += f" and {more} more" if more > 0 else ""
    return text


def _frame(span: WindowSpan) -> str:
    """Return `file.py:line in function` of the innermost frame."""
    raised = _raised(span)
    start = raised.stacktrace.rfind('  File "') if raised is not None else -1
    if raised is None or start < 0:
        return ""
    path, _, rest = raised.stacktrace[start + 8 : start + 400].split("\n")[0].partition('", line ')
    line, _, function = rest.partition(", in ")
    name = path.replace("\\", "/").rpartition("/")[2]
    return one_line(f"{name}:{line} in {function}", 120) if line else ""


def _evidence(origin: WindowSpan, above: Sequence[WindowSpan]) -> dict[str, Any]:
    raised = _raised(origin)
    evidence: dict[str, Any] = {"span_id": span_id_text(origin), "span": origin.record.name}
    if raised is not None:
        evidence["exception.type"] = raised.type
        evidence["exception.message"] = one_line(raised.message, _LONGEST_MESSAGE)
    if above:
        evidence["failed_above"] = [span.record.name for span in above]
    if frame := _frame(origin):
        evidence["code.location"] = frame
    return evidence
