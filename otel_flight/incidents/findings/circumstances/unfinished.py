"""A trigger that never ended while the incident was open: it hangs, or takes very long."""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.view import EvidenceView, quoted, short_duration, span_id_text
from otel_flight.incidents.manifest import Finding

_MOST_NAMED: Final = 3


def find_unfinished(view: EvidenceView) -> Finding | None:
    """Say that the trigger's span is still open, and what it is in; silent when it has ended."""
    trigger = view.trigger
    if trigger is None or not trigger.is_open:
        return None
    text = (
        f"{quoted(trigger.record.name)} was still open when the incident closed, "
        f"{short_duration(trigger.duration_ns)} after it started"
    )
    is_open_below = [span for span in view.descendants(trigger) if span.is_open]
    innermost = [
        span for span in is_open_below if not any(child.is_open for child in view.children(span))
    ]
    innermost.sort(key=lambda span: span.record.start_ns, reverse=True)
    if innermost:
        names = ", ".join(quoted(span.record.name) for span in innermost[:_MOST_NAMED])
        more = len(innermost) - _MOST_NAMED
        text += f"; inside it {names}{f' and {more} more' if more > 0 else ''}"
        text += " had not ended either"
    return Finding(
        rule="unfinished",
        summary=text,
        evidence={
            "span_id": span_id_text(trigger),
            "duration_ns": trigger.duration_ns,
            "open_below": [span.record.name for span in innermost[:20]],
        },
    )
