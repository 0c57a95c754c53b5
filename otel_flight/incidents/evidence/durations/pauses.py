"""What stopped the trigger's request from the outside: a collection, a blocked loop, no CPU.

A pause becomes a child of the span it interrupted, so that a backend's critical path runs through
it; reports and findings start from the same list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.ground.intervals import overlap_ns
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.names import event_names, source_names

_PROCESS_WIDE: Final = (source_names.GC, source_names.DESCHEDULING)
"""The events of these sources stop every thread of the process."""
_THREAD_WIDE: Final = (source_names.EVENT_LOOP,)
"""The events of these sources stop what is served on the thread they happened on."""
_ONLY_SLOWED: Final = event_names.GIL_CONTENDED
"""While threads compete for the GIL they take turns, so that no request is stopped."""
_COLLECTION_SHARE: Final = 0.5
"""A pause of which garbage collections cover this part is theirs, and no pause of its own."""


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
        """How long the interrupted span was stopped."""
        return self.end_ns - self.start_ns

    @property
    def is_of_another_request(self) -> bool:
        """Whether what was running meanwhile belongs to another trace."""
        trace_id = self.event.record.trace_id
        return bool(trace_id) and trace_id != self.interrupted.record.trace_id


def find_pauses(evidence: Evidence) -> Sequence[Pause]:
    """Return the pauses within the local root of the trigger, by start; none without a trigger."""
    if evidence.trigger is None:
        return ()
    root = evidence.trace.local_root(evidence.trigger)
    thread_id = evidence.threads.get(root.record.span_id, 0)
    found = [
        _pause(evidence, root, event)
        for source in (*_PROCESS_WIDE, *_THREAD_WIDE)
        for event in evidence.events_during(source, root)
        if event.duration_ns > 0
        and (source not in _THREAD_WIDE or event.record.thread_id == thread_id)
        and event.name != _ONLY_SLOWED
        and not (source == source_names.DESCHEDULING and is_collection(evidence, event))
    ]
    return sorted(found, key=lambda pause: (pause.start_ns, -pause.end_ns))


def is_collection(evidence: Evidence, event: WindowEvent) -> bool:
    """Return whether garbage collections, which are pauses already, made up most of an event."""
    collections = evidence.events_during(source_names.GC, event)
    collected_ns = sum(overlap_ns(each, event) for each in collections)
    return collected_ns >= event.duration_ns * _COLLECTION_SHARE


def _pause(evidence: Evidence, root: WindowSpan, event: WindowEvent) -> Pause:
    start = max(event.start_ns, root.start_ns)
    end = min(event.end_ns, root.end_ns)
    interrupted = evidence.trace.innermost(root, start + (end - start) // 2)
    return Pause(event, interrupted, max(start, interrupted.start_ns), min(end, interrupted.end_ns))
