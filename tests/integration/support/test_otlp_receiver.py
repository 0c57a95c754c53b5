"""The OTLP receiver behaves as a backend does, as the official exporters see it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tests.support.receivers.certificates import (
    AUTHORITY,
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    ServerCertificates,
)
from tests.support.receivers.otlp_messages import BAD_REQUEST, THROTTLED, UNAVAILABLE, Transport
from tests.support.receivers.otlp_receiver import OtlpReceiver

TRANSPORTS: tuple[Transport, ...] = ("grpc", "http/protobuf")
by_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver with nothing special about it."""
    with OtlpReceiver() as running:
        yield running


def exporter_to(
    receiver: OtlpReceiver,
    transport: Transport,
    *,
    headers: dict[str, str] | None = None,
    timeout_seconds: int = 5,
) -> SpanExporter:
    """Return the official exporter for the transport, over plain text."""
    if transport == "grpc":
        return GrpcSpanExporter(
            endpoint=receiver.grpc_endpoint,
            insecure=True,
            headers=headers,
            timeout=timeout_seconds,
        )
    return HttpSpanExporter(
        endpoint=f"{receiver.http_endpoint}/v1/traces", headers=headers, timeout=timeout_seconds
    )


def ended_span(name: str = "work") -> ReadableSpan:
    """Return one ended span of the service `shop` and the scope `tests`."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    span = provider.get_tracer("tests", "1.2").start_span(name, attributes={"answer": 42})
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


def post(
    receiver: OtlpReceiver, path: str, body: bytes, headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    """Send one HTTP request past the exporters and return the read response."""
    port = urlsplit(receiver.http_endpoint).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(
            "POST", path, body, {"content-type": "application/x-protobuf"} | (headers or {})
        )
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()


@by_transport
def test_a_span_arrives_with_its_resource_and_scope(
    receiver: OtlpReceiver, transport: Transport
) -> None:
    """What the exporter sent is held as the triple of resource, scope and span."""
    span = ended_span()

    result = exporter_to(receiver, transport).export([span])
    [(resource, scope, received)] = receiver.wait_for_spans(1)

    assert result is SpanExportResult.SUCCESS
    assert [(pair.key, pair.value.string_value) for pair in resource.attributes] == [
        ("service.name", "shop")
    ]
    assert (scope.name, scope.version) == ("tests", "1.2")
    assert span.context is not None
    assert received.span_id == span.context.span_id.to_bytes(8, "big")
    assert received.start_time_unix_nano == span.start_time
    assert received.attributes[0].value.int_value == 42
    assert receiver.requests[0].transport == transport


@pytest.mark.parametrize("compression", list(Compression))
def test_http_bodies_are_decompressed(receiver: OtlpReceiver, compression: Compression) -> None:
    """Each compression of the HTTP exporter is understood, and shows in the recorded headers."""
    exporter = HttpSpanExporter(
        endpoint=f"{receiver.http_endpoint}/v1/traces", compression=compression
    )

    exporter.export([ended_span()] * 50)

    [request] = receiver.requests
    is_compressed = compression is not Compression.NoCompression
    assert request.headers.get("content-encoding") == (compression.value if is_compressed else None)
    assert (request.wire_bytes < request.message.ByteSize()) == is_compressed
    assert len(receiver.spans()) == 50


def test_grpc_messages_are_decompressed(receiver: OtlpReceiver) -> None:
    """The gRPC exporter's gzip is understood."""
    exporter = GrpcSpanExporter(
        endpoint=receiver.grpc_endpoint, insecure=True, compression=grpc.Compression.Gzip
    )

    exporter.export([ended_span()] * 50)

    assert len(receiver.spans()) == 50


@by_transport
def test_headers_are_recorded(receiver: OtlpReceiver, transport: Transport) -> None:
    """Custom headers and gRPC metadata are kept under lower-case names."""
    exporter_to(receiver, transport, headers={"x-tenant": "blue"}).export([ended_span()])

    assert receiver.requests[0].headers["x-tenant"] == "blue"


@by_transport
def test_a_required_header_is_insisted_on(transport: Transport) -> None:
    """Without the required header a request is refused, with it accepted."""
    with OtlpReceiver(required_headers={"Authorization": "Bearer 7"}) as receiver:
        without = exporter_to(receiver, transport).export([ended_span()])
        with_header = exporter_to(
            receiver, transport, headers={"authorization": "Bearer 7"}
        ).export([ended_span()])

        assert (without, with_header) == (SpanExportResult.FAILURE, SpanExportResult.SUCCESS)
        assert (len(receiver.refused), len(receiver.requests)) == (1, 1)


@by_transport
def test_an_exporter_retries_through_unavailability(
    receiver: OtlpReceiver, transport: Transport
) -> None:
    """A request refused as unavailable comes again and is then accepted."""
    receiver.refuse_next(1, UNAVAILABLE)

    result = exporter_to(receiver, transport, timeout_seconds=10).export([ended_span()])

    assert result is SpanExportResult.SUCCESS
    assert [request.refusal for request in receiver.refused] == [UNAVAILABLE]
    assert len(receiver.spans()) == 1


@by_transport
def test_an_exporter_gives_up_on_a_bad_request(
    receiver: OtlpReceiver, transport: Transport
) -> None:
    """A refusal that is not worth a retry fails the export at once."""
    receiver.refuse_next(1, BAD_REQUEST)

    result = exporter_to(receiver, transport).export([ended_span()])

    assert result is SpanExportResult.FAILURE
    assert len(receiver.refused) == 1
    assert receiver.spans() == []


def test_throttling_says_when_to_come_back(receiver: OtlpReceiver) -> None:
    """A throttled HTTP request is answered 429 with Retry-After."""
    receiver.refuse_next(1, THROTTLED)

    response = post(receiver, "/v1/traces", b"")

    assert response.status == 429
    assert response.headers["retry-after"] == "1"


@by_transport
def test_a_request_above_the_limit_is_refused(transport: Transport) -> None:
    """A request larger than the receiver takes is refused, and nothing of it is held."""
    with OtlpReceiver(max_request_bytes=1000) as receiver:
        result = exporter_to(receiver, transport, timeout_seconds=1).export([ended_span()] * 100)

        assert result is SpanExportResult.FAILURE
        assert receiver.requests == []


def test_an_undecodable_body_is_a_bad_request(receiver: OtlpReceiver) -> None:
    """Bytes that are no message, or not compressed as claimed, are answered 400."""
    no_message = post(receiver, "/v1/traces", b"\xff\xff")
    no_gzip = post(receiver, "/v1/traces", b"plain", {"content-encoding": "gzip"})

    assert (no_message.status, no_gzip.status) == (400, 400)


def test_an_unknown_path_is_not_found(receiver: OtlpReceiver) -> None:
    """A path that is none of the three signals' is answered 404."""
    assert post(receiver, "/v1/elsewhere", b"").status == 404


def test_logs_and_metrics_are_held_apart(receiver: OtlpReceiver) -> None:
    """Log records and metrics are held with resource and scope, and are no spans."""
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add().severity_text = "WARN"
    metrics = ExportMetricsServiceRequest()
    metrics.resource_metrics.add().scope_metrics.add().metrics.add().name = "depth"

    post(receiver, "/v1/logs", logs.SerializeToString())
    post(receiver, "/v1/metrics", metrics.SerializeToString())

    assert [log.record.severity_text for log in receiver.logs()] == ["WARN"]
    assert [metric.metric.name for metric in receiver.metrics()] == ["depth"]
    assert receiver.spans() == []


@by_transport
def test_a_held_request_is_not_answered(receiver: OtlpReceiver, transport: Transport) -> None:
    """While held, the exporter runs into its timeout; released, it gets through again."""
    receiver.hold()
    held = exporter_to(receiver, transport, timeout_seconds=1).export([ended_span()])
    receiver.release()
    released = exporter_to(receiver, transport).export([ended_span()])

    assert (held, released) == (SpanExportResult.FAILURE, SpanExportResult.SUCCESS)


@by_transport
def test_a_slow_receiver_answers_late(receiver: OtlpReceiver, transport: Transport) -> None:
    """A delay beyond the exporter's timeout fails the export, though the spans arrived."""
    receiver.answer_after(1.5)

    result = exporter_to(receiver, transport, timeout_seconds=1).export([ended_span()])

    assert result is SpanExportResult.FAILURE
    receiver.wait_for_spans(1)


@by_transport
def test_a_stopped_receiver_comes_back_on_its_ports(
    receiver: OtlpReceiver, transport: Transport
) -> None:
    """Stopped it is down, for kept-alive connections too; started again the same exporter works."""
    exporter = exporter_to(receiver, transport, timeout_seconds=1)
    exporter.export([ended_span("before")])
    receiver.stop()
    down = exporter.export([ended_span("down")])
    receiver.start()
    up = exporter_to(receiver, transport).export([ended_span("after")])

    assert (down, up) == (SpanExportResult.FAILURE, SpanExportResult.SUCCESS)
    assert [received.span.name for received in receiver.spans()] == ["before", "after"]


def test_waiting_in_vain_says_what_came_instead(receiver: OtlpReceiver) -> None:
    """A wait that ends without its spans names those that were received."""
    exporter_to(receiver, "http/protobuf").export([ended_span("only")])

    with pytest.raises(TimeoutError, match=r"1 requests accepted.*'only'"):
        receiver.wait_for_spans(2, timeout_seconds=0.05)


def test_requests_can_be_consumed_instead_of_held() -> None:
    """With a consumer nothing is held, and each request reaches the consumer."""
    consumed: list[int] = []
    with OtlpReceiver(on_request=lambda request: consumed.append(request.wire_bytes)) as receiver:
        exporter_to(receiver, "http/protobuf").export([ended_span()])

        assert len(consumed) == 1
        assert receiver.requests == []


def test_http_over_tls_asks_for_the_client_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS a client with a certificate is accepted, one without is not."""
    # `requests` lets these win over the certificate given to the exporter.
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    certificates = ServerCertificates(client_authority=AUTHORITY)
    with OtlpReceiver(certificates=certificates) as receiver:
        endpoint = f"{receiver.http_endpoint}/v1/traces"
        known = HttpSpanExporter(
            endpoint=endpoint,
            certificate_file=str(AUTHORITY),
            client_certificate_file=str(CLIENT_CERTIFICATE),
            client_key_file=str(CLIENT_KEY),
        )
        unknown = HttpSpanExporter(endpoint=endpoint, certificate_file=str(AUTHORITY), timeout=1)

        assert known.export([ended_span()]) is SpanExportResult.SUCCESS
        assert unknown.export([ended_span()]) is SpanExportResult.FAILURE
        assert len(receiver.spans()) == 1


def test_grpc_over_tls_asks_for_the_client_certificate() -> None:
    """Over TLS a client with a certificate is accepted, one without is not."""
    certificates = ServerCertificates(client_authority=AUTHORITY)
    with OtlpReceiver(certificates=certificates) as receiver:
        authority = AUTHORITY.read_bytes()
        known = GrpcSpanExporter(
            endpoint=receiver.grpc_endpoint,
            credentials=grpc.ssl_channel_credentials(
                authority, CLIENT_KEY.read_bytes(), CLIENT_CERTIFICATE.read_bytes()
            ),
        )
        unknown = GrpcSpanExporter(
            endpoint=receiver.grpc_endpoint,
            credentials=grpc.ssl_channel_credentials(authority),
            timeout=1,
        )

        assert known.export([ended_span()]) is SpanExportResult.SUCCESS
        assert unknown.export([ended_span()]) is SpanExportResult.FAILURE
        assert len(receiver.spans()) == 1
