"""What else happened around the trigger: the runtime events that the timeline does not draw.

Events of one kind are one entry, and of many kinds those that matter most are kept.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.ground.intervals import distance_ns
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.manifest import Explanation
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import attributes as names
from otel_flight.names import exception_attributes, source_names
from otel_flight.report.model.event_words import (
    event_words,
    is_measurement,
    series_words,
    severity_of,
)

_DRAWN_AS_SPANS: Final = source_names.STACKS
_FEWEST_OF_A_SERIES: Final = 2
"""This many measurements, or more, are described by how their numbers changed."""


@dataclass(frozen=True)
class EventEntry:
    """One runtime event, or several of one kind."""

    source: str
    name: str
    offset_ns: int
    """When the one closest to the trigger was, from the start of the timeline's axis."""
    duration_ns: int
    text: str
    span: str
    """The span it happened in; the request, when that is not the trigger's."""
    is_own: bool
    """Whether it happened in the trigger's trace."""
    times: int
    """How many events it stands for."""


@dataclass(frozen=True)
class OtherEvents:
    """The runtime events beside the timeline.

    Attributes:
        entries: those that are shown, by time.
        events: how many events there are.
        left_out: how many of them have no entry.
    """

    entries: tuple[EventEntry, ...]
    events: int
    left_out: int


def find_other_events(
    evidence: Evidence, explanations: Sequence[Explanation], axis_start_ns: int, most: int
) -> OtherEvents:
    """Return what else happened.

    Args:
        evidence: has them.
        explanations: what the timeline draws.
        axis_start_ns: when the timeline begins.
        most: the most entries to return.
    """
    moment = evidence.manifest.fired_ns
    events = [
        event
        for source in evidence.sources
        if source != _DRAWN_AS_SPANS
        for event in evidence.events(source)
        if not any(_draws(each, event) for each in explanations)
    ]
    kinds: defaultdict[tuple[object, ...], list[WindowEvent]] = defaultdict(list)
    for event in events:
        kinds[_kind(evidence, event)].append(event)
    ranked = sorted(kinds.values(), key=lambda kind: _rank(evidence, kind, moment))
    entries = [_entry(evidence, kind, axis_start_ns, moment) for kind in ranked[:most]]
    return OtherEvents(
        entries=tuple(sorted(entries, key=lambda each: each.offset_ns)),
        events=len(events),
        left_out=sum(len(kind) for kind in ranked[most:]),
    )


def _draws(explanation: Explanation, event: WindowEvent) -> bool:
    record = event.record
    return (
        explanation.name == record.name
        and explanation.attributes.get(names.SOURCE) == record.source
        and record.start_ns <= explanation.start_ns
        and explanation.end_ns <= record.end_ns
    )


def _kind(evidence: Evidence, event: WindowEvent) -> tuple[object, ...]:
    record, attributes = event.record, event.record.attributes
    place = attributes.get(names.FILE), attributes.get(names.LINE)
    failure = attributes.get(exception_attributes.TYPE)
    own = record.span_id if _is_own(evidence, event) else 0
    return record.source, record.name, severity_of(attributes), failure, place, own


def _rank(evidence: Evidence, kind: Sequence[WindowEvent], moment: int) -> tuple[bool, bool, int]:
    """Return what sorts the trigger's own first, then failures, then what was close to it."""
    is_failure = any(
        event.record.source == source_names.EXCEPTIONS
        or severity_of(event.record.attributes) >= logging.ERROR
        for event in kind
    )
    return (
        not _is_own(evidence, kind[0]),
        not is_failure,
        distance_ns(_closest(kind, moment), moment),
    )


def _entry(
    evidence: Evidence, kind: Sequence[WindowEvent], axis_start_ns: int, moment: int
) -> EventEntry:
    event = _closest(kind, moment)
    record = event.record
    is_series = len(kind) >= _FEWEST_OF_A_SERIES and all(map(is_measurement, kind))
    ordered = sorted(kind, key=lambda each: each.start_ns)
    return EventEntry(
        source=record.source,
        name=record.name,
        offset_ns=record.start_ns - axis_start_ns,
        duration_ns=max(0, record.duration_ns),
        text=series_words(ordered) if is_series else event_words(event),
        span=_span_name(evidence, event),
        is_own=_is_own(evidence, event),
        times=len(kind),
    )


def _closest(kind: Iterable[WindowEvent], moment: int) -> WindowEvent:
    return min(kind, key=lambda event: distance_ns(event, moment))


def _is_own(evidence: Evidence, event: WindowEvent) -> bool:
    trigger = evidence.trigger
    return trigger is not None and event.record.trace_id == trigger.record.trace_id


def _span_name(evidence: Evidence, event: WindowEvent) -> str:
    record = event.record
    if not record.trace_id:
        return ""
    if _is_own(evidence, event):
        span = evidence.trace.get(record.span_id)
        return span.name if span is not None else ""
    return evidence.request_name(record.trace_id)
