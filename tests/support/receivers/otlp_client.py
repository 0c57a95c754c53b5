"""Sends one OTLP request as it is, where a test must know what that request was answered."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tests.support.receivers.otlp_messages import SIGNALS

_PATHS: Final = {signal.request_type: signal.http_path for signal in SIGNALS}


def send(endpoint: str, message: Any) -> int:
    """Send an Export…ServiceRequest over HTTP; return the status of the answer."""
    request = urllib.request.Request(
        endpoint + _PATHS[type(message)],
        data=message.SerializeToString(),
        headers={"Content-Type": "application/x-protobuf"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30.0) as response:
            assert isinstance(response, http.client.HTTPResponse)
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def request_of(*spans: Span, service: str = "ordinary") -> ExportTraceServiceRequest:
    """Return one request with these spans, all of one service."""
    resource = Resource(attributes=[text("service.name", service)])
    scopes = [ScopeSpans(spans=spans)]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=scopes)]
    )


def made_span(trace: int, span: int, *attributes: KeyValue, name: str = "GET /") -> Span:
    """Return a span that took a second."""
    return Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=span.to_bytes(8, "big"),
        name=name,
        start_time_unix_nano=1_000_000_000,
        end_time_unix_nano=2_000_000_000,
        attributes=attributes,
    )


def text(key: str, value: str) -> KeyValue:
    """Return an attribute that is a text."""
    return KeyValue(key=key, value=AnyValue(string_value=value))
