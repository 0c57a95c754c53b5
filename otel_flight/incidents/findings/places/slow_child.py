"""What a slow request waited for: the deepest span that alone takes most of its time."""

from __future__ import annotations

from typing import Final

from otel_flight.ground.intervals import Interval, union_ns
from otel_flight.incidents.evidence.callers import words_of_caller
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.usual.slowed_calls import slowed_calls
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import KIND_CLIENT, WindowSpan
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text
from otel_flight.words import quoted, short_duration


def find_slow_child(evidence: Evidence) -> Finding | None:
    """Name that span and its share.

    Silent when the time is not its own but that of many children together: blaming the span around
    them would mislead. So when it is a call that is usually faster, which `slow_downstream` names.
    """
    slow = evidence.slow
    if slow is None or slow.duration_ns <= 0:
        return None
    culprit = evidence.trace.culprit(slow)
    if culprit is slow or _is_slowed_call(evidence, culprit):
        return None
    shared = Interval(max(culprit.start_ns, slow.start_ns), min(culprit.end_ns, slow.end_ns))
    taken = shared.duration_ns
    children = evidence.trace.children(culprit)
    outside = taken - union_ns(children, shared)
    if outside * 2 < taken:
        return None
    share = taken / slow.duration_ns
    usual = evidence.usual_duration_ns(culprit)
    verb = "was open for" if culprit.is_open else "took"
    text = (
        f"{quoted(culprit.name)} {verb} {short_duration(taken)} of the "
        f"{short_duration(slow.duration_ns)} of {quoted(slow.name)} ({share:.0%})"
    )
    how = "called in" if culprit.record.kind == KIND_CLIENT else "mostly in"
    text += words_of_caller(evidence, culprit, how)
    if children:
        text += f", {short_duration(outside)} of it outside its child spans"
    if usual is not None:
        text += f"; it usually takes {short_duration(usual)}"
    return Finding(
        rule=RULE.name,
        summary=text,
        explained_share=share,
        evidence={
            keys.SPAN_ID: span_text(culprit.record.span_id),
            keys.SPAN: culprit.name,
            keys.DURATION_NS: culprit.duration_ns,
            keys.OUTSIDE_CHILDREN_NS: outside,
            **({keys.USUAL_DURATION_NS: usual} if usual is not None else {}),
        },
    )


def _is_slowed_call(evidence: Evidence, span: WindowSpan) -> bool:
    calls = slowed_calls(evidence)
    return calls is not None and span in calls.spans


RULE: Final = Rule(
    name="slow_child",
    kind=Kind.PLACE,
    title="One step took most of the time",
    find=find_slow_child,
)
