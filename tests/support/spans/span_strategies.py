"""Random spans, made by a real tracer provider as an application would make them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, StaticSampler
from opentelemetry.sdk.trace.sampling import Decision as SamplingDecision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from otel_flight.records.records import Event, OpenSpan, Span
from tests.support.rigs.recording_rig import EndedSpans, Recorded

_LOW_64 = (1 << 64) - 1

any_text = st.text(st.characters(), max_size=20)
"""Of all characters there are, lone surrogates included."""
scalars = (
    st.booleans()
    | st.integers()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | any_text
    | st.binary(max_size=20)
)
flat_lists = st.one_of(
    *(
        st.lists(each, max_size=4)
        for each in (st.booleans(), st.integers(), st.floats(), any_text, st.none() | any_text)
    )
)
nested = st.recursive(
    scalars | st.none() | flat_lists,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=5,
)
"""Older SDKs refuse some of these, and say so: what is recorded is what the span kept."""
attribute_maps = st.dictionaries(any_text, scalars | flat_lists | nested, max_size=4)
times = st.integers(0, (1 << 63) - 1) | st.integers(-1000, 1000) | st.integers()
trace_states = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
    st.from_regex(r"[!-+.-<>-~]{1,10}", fullmatch=True),
    max_size=3,
)
contexts = st.builds(
    SpanContext,
    trace_id=st.integers(1, (1 << 128) - 1),
    span_id=st.integers(1, (1 << 64) - 1),
    is_remote=st.booleans(),
    trace_flags=st.integers(0, 255).map(TraceFlags),
    trace_state=trace_states.map(lambda state: TraceState(list(state.items()))),
)
statuses = st.builds(Status, st.just(StatusCode.ERROR), st.none() | any_text) | st.sampled_from(
    [None, Status(StatusCode.OK), Status(StatusCode.ERROR)]
)


@dataclass(frozen=True)
class SpanPlan:
    """What an application does with one span."""

    name: str
    kind: SpanKind
    parent: SpanContext | None
    is_sampled: bool
    start_time: int
    end_time: int
    attributes: Mapping[str, Any]
    later_attributes: Mapping[str, Any]
    events: Sequence[tuple[str, Mapping[str, Any], int]]
    links: Sequence[tuple[SpanContext, Mapping[str, Any]]]
    status: Status | None
    scope: tuple[str, str | None, str | None, Mapping[str, Any]]
    resource: Mapping[str, Any]

    def perform(self, *processors: SpanProcessor) -> ReadableSpan:
        """Make the span, with a provider of its own, and return it as it ended."""
        decision = SamplingDecision.RECORD_ONLY
        ended = EndedSpans()
        provider = TracerProvider(
            sampler=ALWAYS_ON if self.is_sampled else StaticSampler(decision),
            resource=Resource(dict(self.resource)),
            shutdown_on_exit=False,
        )
        for processor in (*processors, ended):
            provider.add_span_processor(processor)
        name, version, schema_url, scope_attributes = self.scope
        tracer = provider.get_tracer(
            name, version, schema_url=schema_url, attributes=scope_attributes
        )
        with silent_sdk():
            span = tracer.start_span(
                self.name,
                None
                if self.parent is None
                else trace.set_span_in_context(NonRecordingSpan(self.parent)),
                self.kind,
                dict(self.attributes),
                [Link(context, dict(attributes)) for context, attributes in self.links],
                self.start_time,
            )
            span.set_attributes(dict(self.later_attributes))
            for event, attributes, time_ns in self.events:
                span.add_event(event, dict(attributes), time_ns)
            if self.status is not None:
                span.set_status(self.status)
            span.end(self.end_time)
        (result,) = ended.spans
        return result


span_plans = st.builds(
    SpanPlan,
    name=any_text,
    kind=st.sampled_from(SpanKind),
    parent=st.none() | contexts,
    is_sampled=st.booleans(),
    start_time=times,
    end_time=times,
    attributes=attribute_maps,
    later_attributes=st.just({}) | attribute_maps,
    events=st.lists(st.tuples(any_text, attribute_maps, times), max_size=2),
    links=st.lists(st.tuples(contexts, attribute_maps), max_size=2),
    status=statuses,
    scope=st.tuples(
        st.text(min_size=1, max_size=10),
        st.none() | st.text(max_size=5),
        st.none() | st.text(max_size=5),
        st.dictionaries(any_text.filter(bool), st.integers() | any_text, max_size=2),
    ),
    resource=st.dictionaries(any_text.filter(bool), st.integers() | any_text, max_size=3),
)


@contextmanager
def silent_sdk() -> Iterator[None]:
    """Keep the SDK from logging what it refuses, thousands of times."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def as_recorded(value: Any) -> Any:
    """Return a value as a reader of the ring should find it."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value <= _LOW_64 else hex(value)
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {as_recorded(key): as_recorded(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [as_recorded(item) for item in value]
    return value


def time_as_recorded(time_ns: int | None) -> int:
    """Return a span's time as a reader of the ring should find it: within 63 bits."""
    assert time_ns is not None
    if time_ns not in range(-(1 << 63), 1 << 64):
        return 0  # it became a text
    return min(max(time_ns, 0), (1 << 63) - 1)


def types_of(value: Any) -> Any:
    """Return a value's types: `1`, `1.0` and `True` are equal, and should not be taken for so."""
    if isinstance(value, Mapping):
        return {key: types_of(item) for key, item in value.items()}
    if isinstance(value, list):
        return [types_of(item) for item in value]
    return type(value)


def facts_of_span(span: ReadableSpan) -> dict[str, Any]:
    """Return everything a span says, as a reader should find it, by its public properties."""
    context, parent = span.get_span_context(), span.parent
    assert context is not None
    scope = span.instrumentation_scope
    assert scope is not None
    return {
        "ids": (context.trace_id, context.span_id, parent.span_id if parent else 0),
        "flags": int(context.trace_flags) | (0x100 if parent and parent.is_remote else 0),
        "trace_state": context.trace_state.to_header(),
        "name": as_recorded(span.name),
        "kind": span.kind.value,
        "times": (time_as_recorded(span.start_time), time_as_recorded(span.end_time)),
        "attributes": as_recorded(span.attributes or {}),
        "events": [
            (
                as_recorded(event.name),
                time_as_recorded(event.timestamp),
                as_recorded(event.attributes or {}),
            )
            for event in span.events
        ],
        "links": [
            (
                link.context.trace_id,
                link.context.span_id,
                int(link.context.trace_flags) | (0x100 if link.context.is_remote else 0),
                link.context.trace_state.to_header(),
                as_recorded(link.attributes or {}),
            )
            for link in span.links
        ],
        "status": (span.status.status_code.value, as_recorded(span.status.description)),
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
        "scope": (
            scope.name,
            scope.version,
            scope.schema_url,
            as_recorded(scope.attributes or {}),
        ),
        "resource": as_recorded(span.resource.attributes),
    }


def facts_of_record(item: Recorded) -> dict[str, Any]:
    """Return the same of what was recorded."""
    record = item.record
    assert isinstance(record, (Span, OpenSpan))
    assert item.scope is not None
    assert item.resource is not None
    extras = record.extras or {}
    return {
        "ids": (record.trace_id, record.span_id, record.parent_span_id),
        "flags": record.flags,
        "trace_state": extras.get("trace_state", ""),
        "name": record.name,
        "kind": record.kind,
        "times": (record.start_ns, record.end_ns),
        "attributes": as_recorded(record.attributes),
        "events": [_event(event) for event in record.events],
        "links": [
            (
                link.trace_id,
                link.span_id,
                link.flags,
                link.trace_state,
                as_recorded(link.attributes),
            )
            for link in record.links
        ],
        "status": (record.status_code, record.status_description),
        "dropped": tuple(
            extras.get(f"dropped_{what}", 0) for what in ("attributes", "events", "links")
        ),
        "scope": (
            item.scope.name,
            item.scope.version,
            item.scope.schema_url,
            item.scope.attributes or {},
        ),
        "resource": item.resource.attributes,
    }


def _event(event: Event) -> tuple[str, int, Any]:
    return (event.name, event.time_ns, as_recorded(event.attributes))
