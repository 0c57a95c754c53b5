"""The request that an event of the runtime held up, where the event belongs to none itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from otel_flight.ground.intervals import Interval, overlap_ns
from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import attributes as names
from otel_flight.names import source_names, trigger_names
from otel_flight.names.sent_attributes import PROCESS_ID
from otel_flight.records.ids import span_text, trace_text

_SOURCES: Final[Mapping[str, str]] = {
    trigger_names.GC_PAUSE: source_names.GC,
    trigger_names.LOOP_STALL: source_names.EVENT_LOOP,
}
"""Triggers fire at the end of an event of these sources."""
_LEAST_SHARE: Final = 0.3
"""A request is not called held up by what took less of its time: a connection that is open for an
hour meets every stall."""


def with_interrupted(evidence: Evidence) -> Manifest:
    """Return the manifest, in which causes that are of no span belong to who waited longest.

    That is the local root of which most time passed in the event. Such a cause says so, by the
    attribute `flight_recorder.interrupted`.
    """
    causes = [_with_interrupted(evidence, cause) for cause in evidence.manifest.causes]
    if causes == evidence.manifest.causes:
        return evidence.manifest
    return msgspec.structs.replace(evidence.manifest, causes=causes)


def _with_interrupted(evidence: Evidence, cause: Cause) -> Cause:
    source = _SOURCES.get(cause.trigger)
    if source is None or cause.trace_id or PROCESS_ID in cause.attributes:
        return cause
    fired = Interval(cause.time_ns - 1, cause.time_ns + 1)
    events = evidence.events_during(source, fired)
    event = max(events, key=lambda each: each.duration_ns, default=None)
    root = None if event is None else _most_interrupted(evidence, event)
    if root is None:
        return cause
    return msgspec.structs.replace(
        cause,
        trace_id=trace_text(root.trace_id),
        span_id=span_text(root.span_id),
        attributes={**cause.attributes, names.INTERRUPTED: True},
    )


def _most_interrupted(evidence: Evidence, event: WindowEvent) -> LocalRoot | None:
    """Return the local root that was stopped longest; an event loop stops those of its thread."""
    is_of_loop = event.record.source == source_names.EVENT_LOOP
    held_up = (
        root
        for root in evidence.roots
        if not is_of_loop or evidence.threads.get(root.span_id) == event.record.thread_id
        if overlap_ns(root, event) >= max(1, root.duration_ns * _LEAST_SHARE)
    )
    return max(held_up, key=lambda root: overlap_ns(root, event), default=None)
