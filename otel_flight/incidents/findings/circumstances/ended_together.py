"""Something else that ran as long as a slow request waited, and ended when the wait did.

What holds a lock, a connection or a worker is rarely in the trace that waits for it.
"""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.view import EvidenceView, LocalRoot, quoted, short_duration
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan

_LATEST_START: Final = 0.05
_APART_SHARE: Final = 0.02
_APART_NS: Final = 10_000_000
"""How far apart both ends may be: this, or that share of the wait."""
_LONGEST: Final = 3
"""So many times longer than the wait, and it is a connection that is always there."""
_MOST: Final = 2


def find_ended_together(view: EvidenceView) -> Finding | None:
    """Name a request or job that ran beside the slow span's culprit and ended with it.

    Silent when the wait has not ended, and when several fit: those wait for the same thing. So do
    requests of the slow one's own name, which do not count.
    """
    slow = view.slow
    if slow is None or slow.is_open:
        return None
    wait = view.culprit(slow)
    if wait.is_open or wait.duration_ns <= 0 or wait.record.end_ns > slow.record.end_ns:
        return None
    fitting = [root for root in view.roots if _fits(root, wait, slow)]
    if not fitting or len(fitting) > _MOST:
        return None
    root = min(fitting, key=lambda each: abs(each.end_ns - wait.record.end_ns))
    apart = wait.record.end_ns - root.end_ns
    order = "before" if apart >= 0 else "after"
    return Finding(
        rule="ended_together",
        summary=(
            f"{quoted(root.name)} ran all the while and ended {short_duration(abs(apart))} {order} "
            f"{quoted(wait.record.name)} did, in another trace"
        ),
        evidence={
            "name": root.name,
            "trace_id": f"{root.trace_id:032x}",
            "root_span_id": f"{root.span_id:016x}",
            "apart_ns": abs(apart),
        },
    )


def _fits(root: LocalRoot, wait: WindowSpan, slow: WindowSpan) -> bool:
    start, end, length = wait.record.start_ns, wait.record.end_ns, wait.duration_ns
    is_other = root.trace_id != slow.record.trace_id and root.name != slow.record.name
    return (
        is_other
        and not root.is_open
        and root.start_ns <= start + length * _LATEST_START
        and abs(root.end_ns - end) <= max(_APART_NS, length * _APART_SHARE)
        and root.end_ns - root.start_ns <= length * _LONGEST
    )
