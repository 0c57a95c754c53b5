"""Recorded spans as the official exporters take them, equal to what the SDK would have exported.

What an exporter sees of a span is all there is to preserve; the sampled flag is not among it, so a
span rescued from a dropped trace looks downstream like any other.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import DEFAULT_TRACE_STATE, TraceState

from otel_flight.delivery.otlp.derived_ids import derived_span_id
from otel_flight.delivery.otlp.origins import SpanOrigins
from otel_flight.delivery.otlp.values import make_portable, portable_count, portable_time_ns
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import sent_attributes as names
from otel_flight.records import records
from otel_flight.records.ids import span_text
from otel_flight.records.records import OpenSpan, Span

_KINDS: Final = {kind.value: kind for kind in SpanKind}
_STATUS_CODES: Final = {code.value: code for code in StatusCode}
_UNSET: Final = Status(StatusCode.UNSET)
_FLAGS: Final = tuple(TraceFlags(value) for value in range(256))
_NOTHING_DROPPED: Final = (0, 0, 0)
_REMOTE: Final = records.FLAG_PARENT_IS_REMOTE
_MOST_TRACE_STATES: Final = 1024
"""At most this many trace states are remembered, those used last."""
_PLAIN_EXTRAS: Final = frozenset(
    {
        records.EXTRA_TRACE_STATE,
        records.EXTRA_DROPPED_ATTRIBUTES,
        records.EXTRA_DROPPED_EVENTS,
        records.EXTRA_DROPPED_LINKS,
    }
)


class RecordedEvent(Event):
    """A span event that knows how many of its attributes the SDK dropped."""

    def __init__(self, recorded: records.Event) -> None:
        super().__init__(recorded.name, recorded.attributes, portable_time_ns(recorded.time_ns))
        self._dropped_count = portable_count(recorded.dropped_attributes)

    @property
    def dropped_attributes(self) -> int:
        """How many attributes the SDK's limits dropped."""
        return self._dropped_count


class RecordedLink(Link):
    """A span link that knows how many of its attributes the SDK dropped."""

    def __init__(self, context: SpanContext, attributes: dict[str, Any], dropped: int = 0) -> None:
        super().__init__(context, attributes)
        self._dropped_count = portable_count(dropped)

    @property
    def dropped_attributes(self) -> int:
        """How many attributes the SDK's limits dropped."""
        return self._dropped_count


class RecordedSpan(ReadableSpan):
    """A span that was read from a record; its limits were applied when it was recorded."""

    def __init__(
        self,
        name: str,
        context: SpanContext,
        *,
        parent: SpanContext | None,
        resource: Resource,
        scope: InstrumentationScope | None,
        attributes: dict[str, Any],
        start_ns: int,
        end_ns: int,
        kind: SpanKind = SpanKind.INTERNAL,
        status: Status = _UNSET,
        events: Sequence[Event] = (),
        links: Sequence[Link] = (),
        dropped: tuple[int, int, int] = _NOTHING_DROPPED,
    ) -> None:
        super().__init__(
            name,
            context=context,
            parent=parent,
            resource=resource,
            attributes=attributes,
            events=events,
            links=links,
            kind=kind,
            status=status,
            start_time=portable_time_ns(start_ns),
            end_time=portable_time_ns(end_ns),
            instrumentation_scope=scope,
        )
        self._dropped_counts = dropped

    @property
    def dropped_attributes(self) -> int:
        """How many attributes the SDK's limits dropped."""
        return self._dropped_counts[0]

    @property
    def dropped_events(self) -> int:
        """How many events the SDK's limits dropped."""
        return self._dropped_counts[1]

    @property
    def dropped_links(self) -> int:
        """How many links the SDK's limits dropped."""
        return self._dropped_counts[2]


class SpanBuilder:
    """Builds the spans of one incident, stamped with it. Not for several threads at once.

    Args:
        manifest: of the incident.
        origins: of the incident's spans.
        is_standalone: whether the result stands alone, as a file does: every span has its own id,
            also one whose id an earlier incident sent to a backend.

    Attributes:
        common_stamps: the attributes that every span gets, last of all.
    """

    def __init__(self, manifest: Manifest, origins: SpanOrigins, *, is_standalone: bool) -> None:
        self._incident_id = manifest.incident_id
        self.common_stamps: Mapping[str, Any] = incident_stamps(manifest)
        self._closed_ns = manifest.closed_ns
        self._triggers: dict[tuple[int, int], str] = {}
        for cause in manifest.causes:
            self._triggers.setdefault((cause.trace, cause.span), cause.trigger)
        self._trigger_span_ids = {cause.span for cause in manifest.causes}
        self._sent_before = frozenset[int]() if is_standalone else manifest.unfinished_before_ids
        self._origins = origins
        self._parsed_state = functools.lru_cache(_MOST_TRACE_STATES)(TraceState.from_header)

    def build(self, found: WindowSpan) -> RecordedSpan:
        """Return a span as it is exported. The record's attributes become the span's."""
        record = found.record
        attributes = record.attributes
        converted = make_portable(attributes)
        for event in record.events:
            converted += make_portable(event.attributes)
        for link in record.links:
            converted += make_portable(link.attributes)
        dropped, trace_state = _NOTHING_DROPPED, DEFAULT_TRACE_STATE
        if record.extras:
            dropped = _dropped(record.extras)
            trace_state = self.trace_state(record.extras.get(records.EXTRA_TRACE_STATE, ""))
            converted += record.extras.get(records.EXTRA_CONVERTED, 0)
        self._stamp(attributes, record, converted)
        trace_id, span_id = record.trace_id, record.span_id
        flags = _FLAGS[record.flags & 255]
        parent_id, is_remote = record.parent_span_id, bool(record.flags & _REMOTE)
        if span_id in self._sent_before:
            attributes[names.KIND] = names.KIND_FINISHED
            parent_id, is_remote = span_id, False
            span_id = derived_span_id(self._incident_id, f"finished {span_text(span_id)}")
        origin = self._origins.of(found.scope, found.resource)
        return RecordedSpan(
            record.name,
            SpanContext(trace_id, span_id, False, flags, trace_state),
            parent=SpanContext(trace_id, parent_id, is_remote, flags) if parent_id else None,
            resource=origin.resource,
            scope=origin.scope,
            attributes=attributes,
            start_ns=record.start_ns,
            end_ns=self._end_ns(record),
            kind=kind_of(record.kind),
            status=_UNSET if record.status == 0 else status_of(record),
            events=[RecordedEvent(event) for event in record.events],
            links=[self._link(link) for link in record.links],
            dropped=dropped,
        )

    def is_plain(self, record: Span | OpenSpan) -> bool:
        """Tell whether building a span only copies its record and adds the common stamps.

        Integers that OTLP cannot hold are not looked for.
        """
        return (
            not isinstance(record, OpenSpan)
            and record.span_id not in self._trigger_span_ids
            and record.span_id not in self._sent_before
            and (record.extras is None or record.extras.keys() <= _PLAIN_EXTRAS)
            # Recorded with one already: something sends spans around in circles.
            and names.INCIDENT_ID not in record.attributes
            and names.INCIDENT_REASON not in record.attributes
        )

    def trace_state(self, header: str) -> TraceState:
        """Return a recorded trace state."""
        return self._parsed_state((header,)) if header else DEFAULT_TRACE_STATE

    def _stamp(self, attributes: dict[str, Any], record: Span | OpenSpan, converted: int) -> None:
        attributes.update(self.common_stamps)
        if record.span_id in self._trigger_span_ids:
            ids = (record.trace_id, record.span_id)
            if ids in self._triggers:
                attributes[names.TRIGGER] = self._triggers[ids]
        if isinstance(record, OpenSpan):
            attributes[names.UNFINISHED] = True
        if converted:
            attributes[names.CONVERTED_VALUES] = converted
        if record.extras and records.EXTRA_CUT_BYTES in record.extras:
            attributes[names.CUT_BYTES] = record.extras[records.EXTRA_CUT_BYTES]

    def _link(self, link: records.Link) -> RecordedLink:
        context = SpanContext(
            link.trace_id,
            link.span_id,
            bool(link.flags & _REMOTE),
            _FLAGS[link.flags & 255],
            self.trace_state(link.trace_state),
        )
        return RecordedLink(context, link.attributes, link.dropped_attributes)

    def _end_ns(self, record: Span | OpenSpan) -> int:
        if not isinstance(record, OpenSpan):
            return record.end_ns
        return max(record.start_ns, record.end_ns or self._closed_ns)


def incident_stamps(manifest: Manifest) -> dict[str, Any]:
    """Return the attributes that say of a span or log record which incident it came with."""
    return {
        names.INCIDENT_ID: manifest.incident_id,
        names.INCIDENT_REASON: manifest.reason,
    }


def kind_of(kind: int) -> SpanKind:
    """Return a recorded kind; internal for one that no SDK knows."""
    return _KINDS.get(kind, SpanKind.INTERNAL)


def status_of(record: Span | OpenSpan) -> Status:
    """Return a span's status."""
    code = _STATUS_CODES.get(record.status_code, StatusCode.UNSET)
    return _UNSET if code is StatusCode.UNSET else Status(code, record.status_description)


def _dropped(extras: Mapping[str, Any]) -> tuple[int, int, int]:
    return (
        portable_count(extras.get(records.EXTRA_DROPPED_ATTRIBUTES, 0)),
        portable_count(extras.get(records.EXTRA_DROPPED_EVENTS, 0)),
        portable_count(extras.get(records.EXTRA_DROPPED_LINKS, 0)),
    )
