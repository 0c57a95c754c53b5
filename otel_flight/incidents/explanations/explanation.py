"""What is put into the trigger's own trace, so that it explains itself: pauses, inferred spans."""

from __future__ import annotations

from typing import Any, Final

from otel_flight.incidents.evidence.durations.pauses import Pause, find_pauses
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.explanations.inferred_spans import infer_spans
from otel_flight.incidents.manifest import Explanation
from otel_flight.names import attributes as names
from otel_flight.names import sent_attributes
from otel_flight.records.ids import span_text, trace_text

MOST_PAUSES: Final = 100
"""One trace gets at most this many pauses; of more, the longest are kept."""


def explain(evidence: Evidence, *, is_unfolded: bool = False) -> list[Explanation]:
    """Return what explains the trigger's request, by start; empty without a trigger in the window.

    Not for application threads.

    Args:
        evidence: the incident.
        is_unfolded: stacks are shown with the functions of servers and frameworks.
    """
    pauses = sorted(find_pauses(evidence), key=lambda pause: pause.duration_ns, reverse=True)
    found = [*map(_of_pause, pauses[:MOST_PAUSES]), *infer_spans(evidence, is_unfolded=is_unfolded)]
    return sorted(found, key=lambda each: (each.start_ns, -each.end_ns))


def _of_pause(pause: Pause) -> Explanation:
    event, record = pause.event, pause.event.record
    attributes: dict[str, Any] = {names.SOURCE: record.source, **record.attributes}
    if record.thread_id:
        attributes[names.THREAD_ID] = record.thread_id
    if event.frames and names.FUNCTION not in attributes:
        innermost = event.frames[-1]
        attributes[names.FUNCTION] = innermost.function
        attributes[names.FILE] = innermost.file
        attributes[names.LINE] = innermost.line
    link = pause.is_of_another_request
    return Explanation(
        kind=sent_attributes.KIND_PAUSE,
        name=event.name,
        trace_id=trace_text(pause.interrupted.record.trace_id),
        parent_span_id=span_text(pause.interrupted.record.span_id),
        start_ns=pause.start_ns,
        end_ns=pause.end_ns,
        attributes=attributes,
        link_trace_id=trace_text(record.trace_id) if link else "",
        link_span_id=span_text(record.span_id) if link else "",
    )
