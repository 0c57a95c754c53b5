"""What is put into the trigger's own trace, so that it explains itself: pauses, inferred spans."""

from __future__ import annotations

from typing import Any, Final

from otel_flight.incidents.evidence.pauses import Pause, find_pauses
from otel_flight.incidents.evidence.view import EvidenceView, span_id_text
from otel_flight.incidents.inferred_spans import infer_spans
from otel_flight.incidents.manifest import Explanation
from otel_flight.names import attributes as names

MOST_PAUSES: Final = 100
"""In one trace; of more, the longest are kept."""


def explain(view: EvidenceView) -> list[Explanation]:
    """Return what explains the trigger's request, by start; empty without a trigger in the window.

    Not for application threads.
    """
    found = [_of_pause(pause) for pause in find_pauses(view)]
    if len(found) > MOST_PAUSES:
        found.sort(key=lambda each: each.start_ns - each.end_ns)
        del found[MOST_PAUSES:]
    found += infer_spans(view)
    return sorted(found, key=lambda each: (each.start_ns, -each.end_ns))


def _of_pause(pause: Pause) -> Explanation:
    event, interrupted = pause.event, pause.interrupted.record
    record = event.record
    attributes: dict[str, Any] = {"flight_recorder.source": record.source, **record.attributes}
    if record.thread_id:
        attributes["thread.id"] = record.thread_id
    if event.stack is not None and event.stack.frames and names.FUNCTION not in attributes:
        innermost = event.stack.frames[-1]
        attributes[names.FUNCTION] = innermost.function
        attributes[names.FILE] = innermost.file
        attributes[names.LINE] = innermost.line
    link = pause.is_of_another_request
    return Explanation(
        kind="pause",
        name=record.name,
        trace_id=f"{interrupted.trace_id:032x}",
        parent_span_id=span_id_text(pause.interrupted),
        start_ns=pause.start_ns,
        end_ns=pause.end_ns,
        attributes=attributes,
        link_trace_id=f"{record.trace_id:032x}" if link else "",
        link_span_id=f"{record.span_id:016x}" if link else "",
    )
