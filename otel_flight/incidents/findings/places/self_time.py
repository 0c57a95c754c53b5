"""A slow request whose child spans do not explain it: the time is in between them."""

from __future__ import annotations

from typing import Final

from otel_flight.ground.intervals import union_ns
from otel_flight.incidents.evidence.durations.mixed_time import mixed_time
from otel_flight.incidents.evidence.durations.own_time import longest_of, parts_of_slow
from otel_flight.incidents.evidence.durations.stopped_time import LEAST_SHARE
from otel_flight.incidents.evidence.durations.time_parts import Doing
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.trace_spans import working
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text
from otel_flight.words import quoted, short_duration

_LEAST_OUTSIDE: Final = 0.6
"""With a smaller part of the time outside of them, the child spans say enough."""


def find_self_time(evidence: Evidence) -> Finding | None:
    """Say how much of the slow span's time no child covers.

    Silent without any child: of a span with nothing inside this is always so. And silent where the
    stack samples, or pauses, say what a good part of the time went into.
    """
    slow = evidence.slow
    if slow is None or slow.duration_ns <= 0 or not evidence.trace.children(slow):
        return None
    if longest_of(evidence, {Doing.RUNNING, Doing.WAITING}) or evidence.once(mixed_time):
        return None
    parts = evidence.once(parts_of_slow)
    paused_ns = sum(part.duration_ns for part in parts if part.doing is Doing.PAUSED)
    if paused_ns >= slow.duration_ns * LEAST_SHARE:
        return None
    outside = slow.duration_ns - union_ns(working(evidence.trace.children(slow)), slow)
    share = outside / slow.duration_ns
    if share < _LEAST_OUTSIDE:
        return None
    return Finding(
        rule=RULE.name,
        summary=(
            f"{short_duration(outside)} of the {short_duration(slow.duration_ns)} of "
            f"{quoted(slow.name)} ({share:.0%}) passed outside its child spans, in code that has "
            "none"
        ),
        explained_share=share,
        evidence={
            keys.SPAN_ID: span_text(slow.record.span_id),
            keys.OUTSIDE_CHILDREN_NS: outside,
        },
    )


RULE: Final = Rule(
    name="self_time",
    kind=Kind.PLACE,
    title="The time passed outside of all spans",
    find=find_self_time,
)
