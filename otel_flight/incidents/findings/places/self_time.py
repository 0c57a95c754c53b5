"""A slow request whose child spans do not explain it: the time is in between them."""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.view import (
    EvidenceView,
    quoted,
    short_duration,
    span_id_text,
    time_within,
    working,
)
from otel_flight.incidents.manifest import Finding

_LEAST_SHARE: Final = 0.6


def find_self_time(view: EvidenceView) -> Finding | None:
    """Say how much of the slow span's time no child covers.

    Silent without any child: of a span with nothing inside this is always so.
    """
    slow = view.slow
    if slow is None or slow.duration_ns <= 0 or not view.children(slow):
        return None
    outside = slow.duration_ns - time_within(working(view.children(slow)), slow)
    share = outside / slow.duration_ns
    if share < _LEAST_SHARE:
        return None
    return Finding(
        rule="self_time",
        summary=(
            f"{short_duration(outside)} of the {short_duration(slow.duration_ns)} of "
            f"{quoted(slow.record.name)} ({share:.0%}) passed outside its child spans, in code "
            "that has none"
        ),
        explained_share=share,
        evidence={"span_id": span_id_text(slow), "outside_children_ns": outside},
    )
