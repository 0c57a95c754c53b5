"""Something else that ran as long as a slow request waited, and ended when the wait did.

What holds a lock, a connection or a worker is rarely in the trace that waits for it.
"""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text, trace_text
from otel_flight.words import quoted, short_duration

_LATEST_START: Final = 0.05
"""It started with the wait, or later by at most this part of the wait."""
_APART_SHARE: Final = 0.02
_APART_NS: Final = 10_000_000
"""Both ends are at most this far apart: so many nanoseconds, or that part of a longer wait."""
_LONGEST: Final = 3
"""What ran more than this many times longer than the wait is a connection that is always there."""
_MOST: Final = 2
"""Where more than this many fit, they wait for the same thing."""


def find_ended_together(evidence: Evidence) -> Finding | None:
    """Name a request or job that ran beside the slow span's culprit and ended with it.

    Silent when the wait has not ended, and when several fit: those wait for the same thing. So do
    requests of the slow one's own name, which do not count.
    """
    slow = evidence.slow
    if slow is None or slow.is_open:
        return None
    wait = evidence.trace.culprit(slow)
    if wait.is_open or wait.duration_ns <= 0 or wait.end_ns > slow.end_ns:
        return None
    fitting = [root for root in evidence.roots if _fits(root, wait, slow)]
    if not fitting or len(fitting) > _MOST:
        return None
    root = min(fitting, key=lambda each: abs(each.end_ns - wait.end_ns))
    apart = wait.end_ns - root.end_ns
    order = "before" if apart >= 0 else "after"
    return Finding(
        rule=RULE.name,
        summary=(
            f"{quoted(root.name)} ran all the while and ended {short_duration(abs(apart))} {order} "
            f"{quoted(wait.name)} did, in another trace"
        ),
        evidence={
            keys.NAME: root.name,
            keys.TRACE_ID: trace_text(root.trace_id),
            keys.ROOT_SPAN_ID: span_text(root.span_id),
            keys.APART_NS: abs(apart),
        },
    )


def _fits(root: LocalRoot, wait: WindowSpan, slow: WindowSpan) -> bool:
    length = wait.duration_ns
    is_other = root.trace_id != slow.record.trace_id and root.name != slow.name
    return (
        is_other
        and not root.is_open
        and root.start_ns <= wait.start_ns + length * _LATEST_START
        and abs(root.end_ns - wait.end_ns) <= max(_APART_NS, length * _APART_SHARE)
        and root.duration_ns <= length * _LONGEST
    )


RULE: Final = Rule(
    name="ended_together",
    kind=Kind.CIRCUMSTANCE,
    title="Something else ended when the wait did",
    find=find_ended_together,
)
