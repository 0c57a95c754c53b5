"""A request encoded here is what the official encoder makes of the same spans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from otel_flight.delivery.otlp.origins import SpanOrigins
from otel_flight.delivery.otlp.spans import SpanBuilder
from otel_flight.delivery.wire.requests import RequestEncoding, is_faithful
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.window import WindowSpan
from tests.support.incidents.rig_incidents import cause_of, incident_of
from tests.support.receivers.otlp_messages import spans_in
from tests.support.rigs.recording_rig import RecordingRig

REMOTE = SpanContext(
    0xABCDEF0123456789ABCDEF0123456789,
    0x1234,
    is_remote=True,
    trace_flags=TraceFlags(TraceFlags.SAMPLED),
    trace_state=TraceState([("vendor", "x:1"), ("other", "y")]),
)


@pytest.fixture
def rig(own_environment: Path) -> Iterator[RecordingRig]:
    """A ring that is recorded into."""
    with RecordingRig(own_environment) as rig:
        yield rig


class Encoder:
    """The official encoder, counting the spans it is given."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
        """Encode the spans."""
        given = list(spans)
        self.names += [span.name for span in given if span.name]
        return encode_spans(given)


def encoded(
    incident: Incident,
    official: Callable[[Sequence[ReadableSpan]], ExportTraceServiceRequest] = encode_spans,
    guard: Guard | None = None,
) -> ExportTraceServiceRequest:
    """Return the request with all spans of an incident."""
    origins = SpanOrigins(incident.manifest)
    builder = SpanBuilder(incident.manifest, origins, is_standalone=False)
    encoding = RequestEncoding(builder, origins, guard or Guard())
    return ExportTraceServiceRequest.FromString(encoding.encode(incident.window.spans(), official))


def officially(incident: Incident) -> ExportTraceServiceRequest:
    """Return what the official encoder makes of the spans that are built for it."""
    origins = SpanOrigins(incident.manifest)
    builder = SpanBuilder(incident.manifest, origins, is_standalone=False)
    return encode_spans([builder.build(found) for found in incident.window.spans()])


def wire(request: ExportTraceServiceRequest) -> dict[bytes, tuple[bytes, ...]]:
    """Return by span id what a receiver gets of each span."""
    found = {
        item.span.span_id: tuple(
            part.SerializeToString(deterministic=True)
            for part in (item.resource, item.scope, item.span)
        )
        for item in spans_in(request)
    }
    assert len(found) == len(spans_in(request))
    return found


def make_spans(rig: RecordingRig, resource: Resource, limits: SpanLimits) -> None:
    """Record spans that together use everything a span can have, none of it unusual."""
    provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(rig.processor)
    tracer = provider.get_tracer("scope", "1.0", "https://example.org/scope", {"team": "a"})
    bare = provider.get_tracer("bare")
    remote = set_span_in_context(NonRecordingSpan(REMOTE))
    for kind in SpanKind:
        tracer.start_span("kind", remote, kind).end()
    root = tracer.start_span("root", start_time=1)
    root.set_attributes({"text": "größe ✓", "int": -1, "float": 0.1, "bools": [True, False]})
    links = [Link(REMOTE, {"why": "batch", "more": 1}), Link(root.get_span_context())]
    child = bare.start_span("child", set_span_in_context(root), links=links)
    for number in range(6):
        child.add_event(f"event {number}", {f"key {n}": n for n in range(number)}, number)
        child.set_attribute(f"attribute {number}", number)
    child.set_status(StatusCode.ERROR, "refused")
    child.end()
    bare.start_span("fine").set_status(StatusCode.OK)
    root.set_status(StatusCode.ERROR)
    root.end(end_time=5)


def test_usual_spans_are_encoded_as_ever_without_the_official_encoder(rig: RecordingRig) -> None:
    """Everything a span can have, of two resources with two scopes each, in one request."""
    strict = SpanLimits(max_attributes=4, max_events=3, max_links=1, max_link_attributes=1)
    make_spans(rig, Resource({"service.name": "a", "host.name": "h"}), SpanLimits())
    make_spans(rig, Resource({"host.id": "1", "numbers": (1, 2)}, "https://example.org/r"), strict)
    incident = incident_of(rig)
    official = Encoder()

    request = encoded(incident, official)

    assert wire(request) == wire(officially(incident))
    assert len(spans_in(request)) == 16
    assert official.names == ["fine", "fine"]  # those two never ended
    ended = request.resource_spans[-2:]
    assert [len(group.scope_spans) for group in ended] == [2, 2]
    assert [group.schema_url for group in ended] == ["", "https://example.org/r"]


def test_what_an_incident_adds_to_some_spans_is_there(rig: RecordingRig) -> None:
    """The trigger's name, the end of a span that went out open, what was converted or cut."""
    ended = rig.collect_ended()
    tracer = rig.tracer
    for name in ("quiet", "fired", "hung before"):
        tracer.start_span(name).end()
    tracer.start_span("converted", attributes={"big": 1 << 70}).end()
    tracer.start_span("too big for OTLP", attributes={"big": (1 << 64) - 1}).end()
    tracer.start_span("in circles", attributes={"flight_recorder.incident.id": "old"}).end()
    hung = tracer.start_span("hung")
    _, fired, before, *_ = ended
    assert before.context is not None
    incident = incident_of(
        rig, causes=[cause_of(fired)], unfinished_before=[f"{before.context.span_id:016x}"]
    )
    official = Encoder()

    request = encoded(incident, official)

    assert wire(request) == wire(officially(incident))
    assert set(official.names) == {span.name for span in ended[1:]} | {"hung"}
    hung.end()


def test_a_span_that_cannot_be_encoded_is_noted_and_left_out(rig: RecordingRig) -> None:
    """The official encoder fails for it as well; all others go out."""
    for number in range(3):
        rig.tracer.start_span(f"span {number}").end()
    incident = incident_of(rig)
    spans = [found.record for found in incident.window.spans()]
    guard = Guard()
    spans[1].trace_id_high = "nonsense"  # type: ignore[assignment]

    origins = SpanOrigins(incident.manifest)
    encoding = RequestEncoding(
        SpanBuilder(incident.manifest, origins, is_standalone=False), origins, guard
    )
    found = (WindowSpan(record, 0, None, None) for record in spans)
    request = ExportTraceServiceRequest.FromString(encoding.encode(found, encode_spans))

    assert [item.span.name for item in spans_in(request)] == ["span 0", "span 2"]
    assert [error.place for error in guard.errors()] == ["encode span"]


def test_no_spans_make_an_empty_request(rig: RecordingRig) -> None:
    """Nothing is in it, no resource either."""
    assert encoded(incident_of(rig)) == ExportTraceServiceRequest()


def test_the_installed_official_encoder_agrees() -> None:
    """Otherwise our encoding would never be used, and nothing but the speed would tell."""
    assert is_faithful(encode_spans)


def _with_flags(spans: Iterable[ReadableSpan]) -> Any:
    request = encode_spans(list(spans))
    for item in spans_in(request):
        item.span.flags |= 1
    return request


def _with_scope_version(spans: Iterable[ReadableSpan]) -> Any:
    given = list(spans)
    if len(given) == 1:
        return encode_spans(given)
    request = encode_spans(given)
    for item in spans_in(request):
        item.scope.version += ".0"
    return request


def _raising(spans: Iterable[ReadableSpan]) -> Any:
    raise TypeError("an encoder of another kind")


@pytest.mark.parametrize("other", [_with_flags, _with_scope_version, _raising])
def test_an_encoder_that_differs_is_noticed(other: Callable[..., Any]) -> None:
    """A version that sends more, less or something else is not imitated."""
    assert not is_faithful(other)
