"""What an OTLP receiver is sent and answers, whatever the transport carrying it.

Both transports of the receiver turn a request into one ReceivedRequest and an answer into none or
one Refusal, so that a test reads the same whether it runs over gRPC or over HTTP.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

OURS: Final = "flight_recorder."
"""The names of attributes that the recorder adds begin so."""
LINK: Final = "flight_recorder.link"
"""It is on links that the recorder adds."""
Transport = Literal["grpc", "http/protobuf"]
SignalName = Literal["traces", "logs", "metrics", "profiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One of the things OTLP carries, and what it is called on each transport."""

    name: SignalName
    http_path: str
    grpc_service: str
    request_type: Any
    response_type: Any


def _profiles() -> list[Signal]:
    """Return the signal that is in development, where the installed messages know this form."""
    package = "opentelemetry.proto.collector.profiles.v1development"
    try:
        service = importlib.import_module(f"{package}.profiles_service_pb2")
        request, response = (
            service.ExportProfilesServiceRequest,
            service.ExportProfilesServiceResponse,
        )
    except (ImportError, AttributeError):
        return []
    if not hasattr(request, "DICTIONARY_FIELD_NUMBER"):
        return []
    return [
        Signal(
            name="profiles",
            http_path="/v1development/profiles",
            grpc_service=f"{package}.ProfilesService",
            request_type=request,
            response_type=response,
        )
    ]


SIGNALS = (
    Signal(
        name="traces",
        http_path="/v1/traces",
        grpc_service="opentelemetry.proto.collector.trace.v1.TraceService",
        request_type=ExportTraceServiceRequest,
        response_type=ExportTraceServiceResponse,
    ),
    Signal(
        name="logs",
        http_path="/v1/logs",
        grpc_service="opentelemetry.proto.collector.logs.v1.LogsService",
        request_type=ExportLogsServiceRequest,
        response_type=ExportLogsServiceResponse,
    ),
    Signal(
        name="metrics",
        http_path="/v1/metrics",
        grpc_service="opentelemetry.proto.collector.metrics.v1.MetricsService",
        request_type=ExportMetricsServiceRequest,
        response_type=ExportMetricsServiceResponse,
    ),
    *_profiles(),
)


class ReceivedSpan(NamedTuple):
    """One span with the resource and the scope it was sent under."""

    resource: Resource
    scope: InstrumentationScope
    span: Span


class ReceivedLog(NamedTuple):
    """One log record with the resource and the scope it was sent under."""

    resource: Resource
    scope: InstrumentationScope
    record: LogRecord


class ReceivedMetric(NamedTuple):
    """One metric with the resource and the scope it was sent under."""

    resource: Resource
    scope: InstrumentationScope
    metric: Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer other than success, in the words of both transports.

    Attributes:
        http_status: Status of the HTTP answer.
        grpc_code: Name of the gRPC status code.
        retry_after_seconds: Sent as the Retry-After header, or as RetryInfo over gRPC; None
            sends neither.
        message: Why, in a `google.rpc.Status` or as the details over gRPC.
    """

    http_status: int
    grpc_code: str
    retry_after_seconds: int | None = None
    message: str = "not taken, as the test asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialSuccess:
    """An answer of success that says some of the spans were not taken.

    Attributes:
        rejected_spans: How many.
        error_message: Why; without rejected spans a remark.
    """

    rejected_spans: int
    error_message: str = ""

    def response(self) -> ExportTraceServiceResponse:
        """Return it as the message it is on both transports."""
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = self.rejected_spans
        response.partial_success.error_message = self.error_message
        return response


Verdict = Refusal | PartialSuccess | None
"""What a receiver answers; None: it took everything."""


UNAVAILABLE = Refusal(
    http_status=503, grpc_code="UNAVAILABLE", message="data refused due to high memory usage"
)
THROTTLED = Refusal(http_status=429, grpc_code="RESOURCE_EXHAUSTED", retry_after_seconds=1)
TOO_LARGE = Refusal(
    http_status=413, grpc_code="RESOURCE_EXHAUSTED", message="received message larger than max"
)
BAD_REQUEST = Refusal(http_status=400, grpc_code="INVALID_ARGUMENT")
UNAUTHENTICATED = Refusal(http_status=401, grpc_code="UNAUTHENTICATED")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One decoded export request, accepted or refused.

    Attributes:
        headers: HTTP headers or gRPC metadata, names in lower case.
        message: The Export…ServiceRequest.
        wire_bytes: Size of the body as sent (HTTP: compressed; gRPC: as it was before).
        received_ns: Monotonic clock when the request had been read.
        refusal: What it was answered with, None for success.
    """

    signal: SignalName
    transport: Transport
    headers: Mapping[str, str]
    message: Any
    wire_bytes: int
    received_ns: int
    refusal: Refusal | None = None


def spans_in(message: ExportTraceServiceRequest) -> list[ReceivedSpan]:
    """Return the spans of one request, in the order they were sent."""
    return [
        ReceivedSpan(group.resource, scoped.scope, span)
        for group in message.resource_spans
        for scoped in group.scope_spans
        for span in scoped.spans
    ]


def logs_in(message: ExportLogsServiceRequest) -> list[ReceivedLog]:
    """Return the log records of one request, in the order they were sent."""
    return [
        ReceivedLog(group.resource, scoped.scope, record)
        for group in message.resource_logs
        for scoped in group.scope_logs
        for record in scoped.log_records
    ]


def metrics_in(message: ExportMetricsServiceRequest) -> list[ReceivedMetric]:
    """Return the metrics of one request, in the order they were sent."""
    return [
        ReceivedMetric(group.resource, scoped.scope, metric)
        for group in message.resource_metrics
        for scoped in group.scope_metrics
        for metric in scoped.metrics
    ]


def without_stamps(span: Span) -> Span:
    """Return a span without what an incident adds to it: attributes of ours, and a link to it."""
    plain = Span()
    plain.CopyFrom(span)
    del plain.attributes[:]
    plain.attributes.extend(each for each in span.attributes if not each.key.startswith(OURS))
    del plain.links[:]
    plain.links.extend(
        link for link in span.links if not any(each.key == LINK for each in link.attributes)
    )
    return plain
