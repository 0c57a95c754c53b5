"""What a slow request waited for: the deepest span that alone takes most of its time."""

from __future__ import annotations

from otel_flight.incidents.evidence.slowed_calls import slowed_calls
from otel_flight.incidents.evidence.view import (
    EvidenceView,
    quoted,
    short_duration,
    span_id_text,
    time_between,
)
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan


def find_slow_child(view: EvidenceView) -> Finding | None:
    """Name that span and its share.

    Silent when the time is not its own but that of many children together: blaming the span around
    them would mislead. So when it is a call that is usually faster, which `slow_downstream` names.
    """
    slow = view.slow
    if slow is None or slow.duration_ns <= 0:
        return None
    culprit = view.culprit(slow)
    if culprit is slow or _is_slowed_call(view, culprit):
        return None
    start = max(culprit.record.start_ns, slow.record.start_ns)
    end = min(culprit.record.end_ns, slow.record.end_ns)
    taken = end - start
    children = view.children(culprit)
    outside = taken - time_between(children, start, end)
    if outside * 2 < taken:
        return None
    share = taken / slow.duration_ns
    usual = view.usual_duration_ns(culprit)
    verb = "was open for" if culprit.is_open else "took"
    text = (
        f"{quoted(culprit.record.name)} {verb} {short_duration(taken)} of the "
        f"{short_duration(slow.duration_ns)} of {quoted(slow.record.name)} ({share:.0%})"
    )
    if children:
        text += f", {short_duration(outside)} of it outside its child spans"
    if usual is not None:
        text += f"; it usually takes {short_duration(usual)}"
    return Finding(
        rule="slow_child",
        summary=text,
        explained_share=share,
        evidence={
            "span_id": span_id_text(culprit),
            "span": culprit.record.name,
            "duration_ns": culprit.duration_ns,
            "outside_children_ns": outside,
            **({"usual_duration_ns": usual} if usual is not None else {}),
        },
    )


def _is_slowed_call(view: EvidenceView, span: WindowSpan) -> bool:
    calls = slowed_calls(view)
    return calls is not None and span in calls.spans
