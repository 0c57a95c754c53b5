"""Where an error came from: the deepest failed span from which the failures above it stem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from otel_flight.ground.intervals import union_ns
from otel_flight.incidents.evidence.callers import words_of_caller
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.group_members import Member, members_of
from otel_flight.incidents.evidence.failures.logged import (
    error_logged_in,
    frames_of,
    is_about,
    logged_evidence,
    logged_exception,
    logged_words,
)
from otel_flight.incidents.evidence.failures.passed_through import words_of_passed
from otel_flight.incidents.evidence.failures.raised import (
    LONGEST_MESSAGE,
    Raised,
    failure_words,
    first_raised,
    raised,
)
from otel_flight.incidents.evidence.places import location
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import evidence as keys
from otel_flight.names import exception_attributes
from otel_flight.records.ids import span_text
from otel_flight.words import one_line, quoted

_MOST_NAMED: Final = 3
_MOST_MEMBERS: Final = 8
_NOTHING: Final = Raised("", "", "")


def find_error_origin(evidence: Evidence) -> Finding | None:
    """Name the failed span the trigger's failure stems from, or the one that failed within it.

    Where that has no exception, what was logged in it, if anything: a framework that answers one
    with status 500 logs it, and its span has the status.

    An error below that was handled is none of the origin: a failed child counts only when its
    parent recorded the same exception, one raised from it, or none at all.
    """
    if evidence.trigger is None:
        return None
    trigger = evidence.trigger
    find_top = _failure_above if _has_failed(evidence, trigger) else _failed_below
    top = find_top(evidence, trigger)
    if top is None:
        return None
    origin = _origin(evidence, top)
    above = [span for span in evidence.trace.ancestors(origin) if _has_failed(evidence, span)]
    # What answers with status 500 has a span of its own, and what failed was logged before.
    of_failure = above[-1] if above else origin
    logged = error_logged_in(evidence, of_failure) if raised(origin) is None else None
    detail, said = failure_words(origin), ""
    found: dict[str, Any] = {}
    if logged is not None and is_about(logged, origin):
        detail = logged_exception(logged.record.attributes, frames_of(logged))
        found = logged_evidence(logged.record.attributes, frames_of(logged))
    elif logged is not None:
        said = f"; {logged_words(logged.record.attributes, frames_of(logged))}"
    if not detail and not said and not above and origin is trigger:
        return None
    measured = evidence.slow or trigger
    is_slow = evidence.slow is not None and measured.duration_ns > 0
    return Finding(
        rule=RULE.name,
        summary=_summary(evidence, origin, detail, above) + said,
        explained_share=union_ns([origin], measured) / measured.duration_ns if is_slow else 0.0,
        evidence=_evidence(origin, above) | found,
    )


def _has_failed(evidence: Evidence, span: WindowSpan) -> bool:
    if span.is_error:
        return True
    # A cancelled span has an exception but no status.
    is_cause = evidence.is_of_failure and evidence.trigger is span
    return is_cause and raised(span) is not None


def _failure_above(evidence: Evidence, span: WindowSpan) -> WindowSpan:
    """Return the failed span above one that has the exception which it lacks, else the span itself.

    What sends the answer to a request that raised an exception fails first, with its status alone.
    """
    for above in () if raised(span) is not None else evidence.trace.ancestors(span):
        if not _has_failed(evidence, above):
            break
        if raised(above) is not None:
            return above
    return span


def _failed_below(evidence: Evidence, span: WindowSpan) -> WindowSpan | None:
    """Return the failed span below one that has not failed that took longest."""
    failed = [found for found in evidence.trace.descendants(span) if _has_failed(evidence, found)]
    ids = {found.record.span_id for found in failed}
    outermost = [found for found in failed if found.record.parent_span_id not in ids]
    return max(outermost, key=lambda found: found.duration_ns, default=None)


def _origin(evidence: Evidence, top: WindowSpan) -> WindowSpan:
    origin = top
    for _ in evidence.trace.spans:
        failed = [
            child
            for child in evidence.trace.children(origin)
            if _has_failed(evidence, child) and _stems_from(origin, child)
        ]
        if not failed:
            break
        origin = max(failed, key=lambda child: child.end_ns)
    return origin


def _stems_from(parent: WindowSpan, child: WindowSpan) -> bool:
    """Tell whether the parent's failure is the child's, as far as that is known."""
    if child.is_open or (not parent.is_open and child.end_ns > parent.end_ns):
        return False
    above, below = raised(parent), raised(child)
    if above is None:
        return True
    if below is None:
        return False
    is_same = (above.type, above.message) == (below.type, below.message)
    return is_same or f"{below.type}: {below.message}".strip(": ") in above.stacktrace


def _summary(
    evidence: Evidence, origin: WindowSpan, detail: str, above: Sequence[WindowSpan]
) -> str:
    text = f"{quoted(origin.name)} failed"
    if detail:
        text += f" with {detail}"
    first = first_raised(raised(origin) or _NOTHING)
    if first.words and first.words != detail:
        text += f", which began with {first.words}"
    if first.place:
        text += f" (at {first.place})"
        # A client's span sees the frames of its library only.
        text += "" if first.is_own else _caller(evidence, origin, above)
    text += _members_words(members_of(raised(origin) or _NOTHING))
    if above:
        names = [quoted(span.name) for span in above]
        more = len(names) - _MOST_NAMED
        text += f"; so did {', '.join(names[:_MOST_NAMED])} above it"
        text += f" and {more} more" if more > 0 else ""
    return text


def _caller(evidence: Evidence, origin: WindowSpan, above: Sequence[WindowSpan]) -> str:
    return words_of_passed(evidence, origin, above) or words_of_caller(evidence, origin)


def _members_words(members: Sequence[Member]) -> str:
    told = [
        f"{member.words} (at {member.place})" if member.place else member.words
        for member in members[:_MOST_NAMED]
    ]
    more = len(members) - len(told)
    return (f", of {', '.join(told)}" if told else "") + (f" and {more} more" if more > 0 else "")


def _evidence(origin: WindowSpan, above: Sequence[WindowSpan]) -> dict[str, Any]:
    exception = raised(origin)
    found: dict[str, Any] = {
        keys.SPAN_ID: span_text(origin.record.span_id),
        keys.SPAN: origin.name,
    }
    if exception is not None:
        first = first_raised(exception)
        found[exception_attributes.TYPE] = exception.type
        found[exception_attributes.MESSAGE] = one_line(exception.message, LONGEST_MESSAGE)
        found |= {keys.FIRST_EXCEPTION: first.words} if first.words else {}
        members = members_of(exception)
        found |= {keys.MEMBERS: [m.words for m in members[:_MOST_MEMBERS]]} if members else {}
        found |= location(first.place or next((m.place for m in members), ""))
    if above:
        found[keys.FAILED_ABOVE] = [span.name for span in above]
    return found


RULE: Final = Rule(
    name="error_origin",
    kind=Kind.FAILURE,
    title="Where an error came from",
    find=find_error_origin,
)
