"""What stopped the trigger's request from the outside: a collection, a blocked loop, no processor.

A pause becomes a child of the span it interrupted, so that a backend's critical path runs through
it; reports and findings start from the same list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.incidents.evidence.view import EvidenceView
from otel_flight.incidents.window import WindowEvent, WindowSpan

PROCESS_WIDE: Final = frozenset({"gc", "descheduling"})
"""Sources whose events stop every thread of the process."""
_COLLECTION_SHARE: Final = 0.5
NO_STANDSTILL: Final = frozenset({"GIL contended"})
"""Of these, what only made threads take turns."""
THREAD_WIDE: Final = frozenset({"event_loop"})
"""Sources whose events stop what is served on the thread they happened on."""


@dataclass(frozen=True)
class Pause:
    """One pause, as far as it fell into the trigger's request.

    Attributes:
        event: what was recorded.
        interrupted: the span it becomes a child of.
        start_ns: not before that span's start.
        end_ns: not after that span's end.
    """

    event: WindowEvent
    interrupted: WindowSpan
    start_ns: int
    end_ns: int

    @property
    def duration_ns(self) -> int:
        """How long the interrupted span stood still."""
        return self.end_ns - self.start_ns

    @property
    def is_of_another_request(self) -> bool:
        """Whether what was running meanwhile belongs to another trace."""
        trace_id = self.event.record.trace_id
        return bool(trace_id) and trace_id != self.interrupted.record.trace_id


def find_pauses(view: EvidenceView) -> Sequence[Pause]:
    """Return the pauses within the local root of the trigger, by start; none without a trigger."""
    if view.trigger is None:
        return ()
    root = view.local_root(view.trigger)
    thread_id = view.threads.get(root.record.span_id, 0)
    found = []
    for source in (*PROCESS_WIDE, *THREAD_WIDE):
        for event in view.events_between(source, root.record.start_ns, root.record.end_ns):
            record = event.record
            if record.duration_ns <= 0:
                continue
            if source in THREAD_WIDE and record.thread_id != thread_id:
                continue
            if record.name in NO_STANDSTILL or _is_collection(view, event):
                continue
            found.append(_pause(view, root, event))
    return sorted(found, key=lambda pause: (pause.start_ns, -pause.end_ns))


def _is_collection(view: EvidenceView, event: WindowEvent) -> bool:
    """Whether the ticker was late because of a collection, which is a pause already."""
    record = event.record
    if record.source != "descheduling":
        return False
    collected = sum(
        min(each.record.end_ns, record.end_ns) - max(each.record.start_ns, record.start_ns)
        for each in view.events_between("gc", record.start_ns, record.end_ns)
    )
    return collected >= record.duration_ns * _COLLECTION_SHARE


def _pause(view: EvidenceView, root: WindowSpan, event: WindowEvent) -> Pause:
    start = max(event.record.start_ns, root.record.start_ns)
    end = min(event.record.end_ns, root.record.end_ns)
    interrupted = view.innermost(root, start + (end - start) // 2)
    return Pause(
        event,
        interrupted,
        max(start, interrupted.record.start_ns),
        min(end, interrupted.record.end_ns),
    )
