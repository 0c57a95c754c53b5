"""An incident holds every span of the window exactly once, byte for byte."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

import otel_flight
from tests.support.receivers.otlp_messages import OURS, ReceivedSpan, spans_in, without_stamps
from tests.support.receivers.otlp_receiver import OtlpReceiver

REMOTE = SpanContext(
    0xABCDEF0123456789ABCDEF0123456789,
    0x1234,
    is_remote=True,
    trace_flags=TraceFlags(1),
    trace_state=TraceState([("vendor", "x:1"), ("other", "y")]),
)
ATTRIBUTES: Final[Attributes] = {
    "text": "größe ✓",
    "int": -(1 << 63),
    "big": (1 << 63) - 1,
    "float": 0.1,
    "bool": True,
    "texts": ("a", "b"),
    "ints": (1, 2, 3),
    "floats": (1.5,),
    "bools": (True, False),
    "empty": (),
}


def make_spans(provider: TracerProvider, rounds: int) -> None:
    """Make spans that use everything a span can have."""
    for number in range(rounds):
        tracer = provider.get_tracer(
            f"scope {number % 3}", "1.0", schema_url="https://example.org/schema"
        )
        remote = trace.set_span_in_context(trace.NonRecordingSpan(REMOTE))
        with tracer.start_as_current_span(
            "server", remote if number % 2 else None, SpanKind.SERVER, ATTRIBUTES
        ) as root:
            root.set_attribute("number", number)
            link = Link(REMOTE, {"why": "batch"})
            child = tracer.start_span("client", kind=SpanKind.CLIENT, links=[link])
            child.add_event("cache miss", {"key": "k", "sizes": (1, 2)}, timestamp=12345)
            for index in range(6):
                child.add_event(f"retry {index}")
                child.set_attribute(f"attribute {index}", index)
            child.set_status(StatusCode.ERROR, "refused")
            child.end()
            tracer.start_span("ok").set_status(StatusCode.OK)


def unstamped(item: ReceivedSpan) -> tuple[bytes, bytes, bytes]:
    """Return resource, scope and span as bytes, without what the recorder adds."""
    return (
        item.resource.SerializeToString(deterministic=True),
        item.scope.SerializeToString(deterministic=True),
        without_stamps(item.span).SerializeToString(deterministic=True),
    )


def is_synthetic(item: ReceivedSpan) -> bool:
    """Tell whether the recorder made the span itself."""
    return any(attribute.key == "flight_recorder.kind" for attribute in item.span.attributes)


@pytest.mark.parametrize("transport", ["grpc", "http/protobuf"])
def test_every_span_arrives_once_and_unchanged(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the receiver gets is what the SDK itself would have sent for the same spans."""
    original: list[ReadableSpan] = []
    exporter = InMemorySpanExporter()
    resource = Resource({"service.name": "shop", "host.name": "web-1", "numbers": (1, 2)})
    limits = SpanLimits(max_span_attributes=12, max_events=4, max_links=1)
    with OtlpReceiver() as receiver:
        endpoint = receiver.grpc_endpoint if transport == "grpc" else receiver.http_endpoint
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", transport)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
        provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        recorder = otel_flight.install(
            tracer_provider=provider, tail_seconds=0, error_span="off", shutdown_seconds=30
        )
        assert recorder is not None
        make_spans(provider, 150)
        original.extend(exporter.get_finished_spans())
        incident_id = recorder.trigger("test")
        provider.shutdown()
        otel_flight.uninstall()
        received = receiver.spans()

    assert incident_id is not None
    rescued = [item for item in received if not is_synthetic(item)]
    unfinished = [item for item in rescued if item.span.name == "ok"]
    ended = [item for item in rescued if item.span.name != "ok"]
    expected = Counter(unstamped(item) for item in spans_in(encode_spans(original)))
    assert sum(expected.values()) == 300
    assert Counter(unstamped(item) for item in ended) == expected
    assert len({item.span.span_id for item in unfinished}) == 150
    for item in rescued:
        stamps = {
            a.key: a.value.string_value for a in item.span.attributes if a.key.startswith(OURS)
        }
        assert stamps["flight_recorder.incident.id"] == incident_id
        assert stamps["flight_recorder.incident.reason"] == "test"
