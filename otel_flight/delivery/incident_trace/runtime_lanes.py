"""A lane for each source of runtime events: intervals as child spans, moments as span events."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from opentelemetry.sdk.trace import Event

from otel_flight.delivery.incident_trace.trace import (
    Lane,
    LaneBuilder,
    LaneMaterial,
    LaneSpan,
)
from otel_flight.delivery.otlp.runtime_attributes import runtime_attributes
from otel_flight.delivery.otlp.values import portable_time_ns
from otel_flight.ground.intervals import distance_ns
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.window import Window, WindowEvent, without_outdated
from otel_flight.names import sent_attributes as names
from otel_flight.sources.base import SourceDescription

MOST_INTERVALS: Final = 40
"""A lane shows at most this many intervals: those closest to the trigger."""
MOST_MOMENTS: Final = 100
"""A lane shows at most this many moments: those closest to the trigger."""


def runtime_lanes(sources: Iterable[SourceDescription]) -> list[LaneBuilder]:
    """Return what builds the lanes of those sources that have one, in the same order."""
    return [partial(_lane_of, each.name, each.lane) for each in sources if each.lane]


def events_by_source(
    window: Window, yield_gil: YieldGil = keep_gil
) -> dict[str, list[WindowEvent]]:
    """Return the runtime events of a window by their source, by start.

    Args:
        window: the window.
        yield_gil: called after every event, to let other threads run.
    """
    found: defaultdict[str, list[WindowEvent]] = defaultdict(list)
    for event in window.events():
        found[event.record.source].append(event)
        yield_gil()
    return {
        source: sorted(without_outdated(events), key=lambda event: event.record.start_ns)
        for source, events in found.items()
    }


def _lane_of(source: str, title: str, material: LaneMaterial) -> Lane | None:
    events = material.events.get(source, ())
    on_spans = material.on_spans.get(source, 0)
    if not events and not on_spans:
        return None
    return _lane(title, events, on_spans, _closeness(material))


def _closeness(material: LaneMaterial) -> Callable[[WindowEvent], int]:
    moment_ns = material.manifest.fired_ns
    return lambda event: distance_ns(event.record, moment_ns)


def _lane(
    title: str,
    events: Sequence[WindowEvent],
    on_spans: int,
    closeness: Callable[[WindowEvent], int],
) -> Lane:
    intervals = [event for event in events if event.record.duration_ns > 0]
    moments = [event for event in events if event.record.duration_ns <= 0]
    return Lane(
        name=title,
        span_kind=names.KIND_EVENT,
        attributes={
            names.EVENTS: len(events) + on_spans,
            **({names.EVENTS_ON_SPANS: on_spans} if on_spans else {}),
        },
        spans=[_span(each) for each in _closest(intervals, MOST_INTERVALS, closeness)],
        events=[_event(each) for each in _closest(moments, MOST_MOMENTS, closeness)],
    )


def _closest(
    events: Sequence[WindowEvent], most: int, closeness: Callable[[WindowEvent], int]
) -> Sequence[WindowEvent]:
    if len(events) <= most:
        return events
    chosen = heapq.nsmallest(most, events, key=closeness)
    return sorted(chosen, key=lambda event: event.record.start_ns)


def _span(event: WindowEvent) -> LaneSpan:
    record = event.record
    return LaneSpan(
        name=record.name,
        start_ns=record.start_ns,
        end_ns=record.end_ns,
        attributes=runtime_attributes(event),
    )


def _event(event: WindowEvent) -> Event:
    return Event(
        event.record.name, runtime_attributes(event), portable_time_ns(event.record.start_ns)
    )
