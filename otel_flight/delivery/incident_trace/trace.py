"""The small trace that stands for the incident: what happened, what was found, where to look.

A root span over the whole window, linked to the span that fired, with the manifest's facts; below
it one lane for each source of what was going on. The traces of the application stay what they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from otel_flight.delivery.incident_trace.facts import cause_events, incident_facts
from otel_flight.delivery.incident_trace.large_traces import large_trace_events
from otel_flight.delivery.incident_trace.span_index import SpanIndex
from otel_flight.delivery.otlp.derived_ids import derived_span_id, derived_trace_id
from otel_flight.delivery.otlp.spans import RecordedLink, RecordedSpan, incident_stamps
from otel_flight.delivery.otlp.values import texts_under
from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import sent_attributes as names

own_version: str | None
try:
    from otel_flight._version import __version__ as own_version
except ImportError:  # a source tree that was never built
    own_version = None

MOST_SPANS: Final = 500
"""The trace has at most this many spans; the last lanes are cut."""
MOST_LINKS: Final = 128
"""The trace has at most this many links, as many as the SDK lets one span have."""
_NS_PER_LANE: Final = 1000
"""Each lane starts this many nanoseconds after the one before it."""
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_SCOPE_NAME: Final = "otel_flight"


@dataclass(frozen=True, kw_only=True)
class LaneSpan:
    """An interval of a lane."""

    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    links: Sequence[Link] = ()
    is_error: bool = False


@dataclass(frozen=True, kw_only=True)
class Lane:
    """What one source has to say, as a child of the incident: intervals and moments.

    Attributes:
        name: of low cardinality, no other lane's; shown as `lane: <name>`.
        span_kind: `flight_recorder.kind` of its intervals.
        attributes: of the lane itself.
        spans: its intervals, in the order they are to be shown.
        events: its moments.
    """

    name: str
    span_kind: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    spans: Sequence[LaneSpan] = ()
    events: Sequence[Event] = ()


@dataclass(frozen=True)
class LaneMaterial:
    """What lanes are made of.

    Attributes:
        manifest: of the incident.
        index: its spans.
        events: its runtime events by their source, by start, those on spans left out.
        on_spans: by source, how many are events of the spans they belong to.
    """

    manifest: Manifest
    index: SpanIndex
    events: Mapping[str, Sequence[WindowEvent]]
    on_spans: Mapping[str, int] = field(default_factory=dict)


LaneBuilder = Callable[[LaneMaterial], Lane | None]
"""It makes a lane, or returns None when its source has nothing to say about this incident."""


@functools.cache
def own_scope() -> InstrumentationScope:
    """Return the instrumentation scope of the spans that this package makes itself."""
    return InstrumentationScope(_SCOPE_NAME, own_version)


def link_to(trace_id: int, span_id: int, role: str) -> Link:
    """Return a link to a span, saying what it is to the one that has the link."""
    context = SpanContext(trace_id, span_id, False, _SAMPLED)
    return RecordedLink(context, {names.LINK: role})


class IncidentTrace:
    """Builds the trace of one incident, with the same ids each time.

    Args:
        manifest: of the incident.
        resource: of the process it happened in.
    """

    def __init__(self, manifest: Manifest, resource: Resource) -> None:
        self._manifest = manifest
        self._resource = resource
        self._scope = own_scope()
        self._trace_id = derived_trace_id(manifest.incident_id)
        self._links_left = MOST_LINKS
        self._spans_left = MOST_SPANS

    def build(self, material: LaneMaterial, lanes: Sequence[LaneBuilder]) -> list[RecordedSpan]:
        """Return the root and its lanes, each followed by its intervals."""
        manifest = self._manifest
        start_ns = manifest.coverage.start_ns or manifest.opened_ns
        root = self._span(
            LaneSpan(
                name=f"incident: {manifest.title}",
                start_ns=min(start_ns, manifest.opened_ns),
                end_ns=max(manifest.closed_ns, manifest.opened_ns),
                attributes=incident_facts(manifest),
                links=_root_links(manifest),
            ),
            kind=names.KIND_INCIDENT,
            purpose="root",
            parent=None,
            status=_root_status(manifest),
            events=[
                *cause_events(manifest),
                *large_trace_events(material.index, manifest.closed_ns),
            ],
        )
        spans = [root]
        for build_lane in lanes:
            lane = build_lane(material)
            if lane is not None:
                self._add_lane(spans, lane, root)
        return spans

    def _add_lane(self, spans: list[RecordedSpan], lane: Lane, root: RecordedSpan) -> None:
        if not self._spans_left:
            return
        start_ns, end_ns = root.start_time or 0, root.end_time or 0
        # Jaeger sorts siblings by their start and shuffles those that start at the same time.
        nth = sum(span.parent is root.context for span in spans) + 1
        whole = LaneSpan(
            name=f"lane: {lane.name}",
            start_ns=start_ns + nth * _NS_PER_LANE,
            end_ns=max(end_ns, start_ns + nth * _NS_PER_LANE),
            attributes=lane.attributes,
        )
        purpose = f"lane {lane.name}"
        parent = self._span(
            whole, kind=names.KIND_LANE, purpose=purpose, parent=root, events=lane.events
        )
        spans.append(parent)
        for position, item in enumerate(lane.spans[: self._spans_left]):
            purpose = f"lane {lane.name} {position}"
            spans.append(self._span(item, kind=lane.span_kind, purpose=purpose, parent=parent))

    def _span(
        self,
        item: LaneSpan,
        *,
        kind: str,
        purpose: str,
        parent: RecordedSpan | None,
        status: Status | None = None,
        events: Sequence[Event] = (),
    ) -> RecordedSpan:
        manifest = self._manifest
        links = item.links[: self._links_left]
        self._links_left -= len(links)
        self._spans_left -= 1
        span_id = derived_span_id(manifest.incident_id, purpose)
        return RecordedSpan(
            item.name,
            SpanContext(self._trace_id, span_id, False, _SAMPLED),
            parent=None if parent is None else parent.context,
            resource=self._resource,
            scope=self._scope,
            attributes={
                names.KIND: kind,
                **incident_stamps(manifest),
                **item.attributes,
            },
            start_ns=item.start_ns,
            end_ns=max(item.start_ns, item.end_ns),
            status=status or Status(StatusCode.ERROR if item.is_error else StatusCode.UNSET),
            events=events,
            links=links,
        )


def _root_status(manifest: Manifest) -> Status:
    if not manifest.causes:
        return Status(StatusCode.UNSET)
    first = manifest.findings[0].summary if manifest.findings else manifest.title
    return Status(StatusCode.ERROR, texts_under("", first)[""])


def _root_links(manifest: Manifest) -> list[Link]:
    """Return links to what fired, the first cause first, then to the incident before."""
    links = [
        link_to(*ids, role)
        for position, cause in enumerate(manifest.causes)
        if (ids := _span_ids(cause)) is not None
        for role in (names.LINK_TRIGGER if position == 0 else names.LINK_CAUSE,)
    ]
    if manifest.previous_incident_id:
        previous = manifest.previous_incident_id
        ids = derived_trace_id(previous), derived_span_id(previous, "root")
        links.append(link_to(*ids, names.LINK_PREVIOUS))
    return links


def _span_ids(cause: Cause) -> tuple[int, int] | None:
    return (cause.trace, cause.span) if cause.trace and cause.span else None
