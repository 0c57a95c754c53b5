"""What collector-config/gateway.yaml and agent.yaml promise, with real Collectors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)

from tests.backends.backend_process import needs_backends
from tests.backends.scenario import Scenario, application_spans, key, run_scenario
from tests.support.backends.shipped_collector import ShippedCollector, target_of
from tests.support.receivers.otlp_client import made_span, request_of, send, text
from tests.support.receivers.otlp_messages import ReceivedSpan
from tests.support.receivers.otlp_receiver import OtlpReceiver

pytestmark = [*needs_backends("collector"), pytest.mark.timeout(120)]

BOTH = [("gateway.yaml", "BACKEND_ENDPOINT"), ("agent.yaml", "GATEWAY_ENDPOINT")]
MIB = 1 << 20
OWN_METRIC = re.compile(r"^(otelcol_(?:exporter|processor)\w+)\{(.*)\} (\S+)$", re.MULTILINE)


@pytest.fixture
def backend() -> Iterator[OtlpReceiver]:
    """Run a receiver that takes what receivers take by default: 4 MiB."""
    with OtlpReceiver() as receiver:
        yield receiver


def heavy_request(number: int, size_bytes: int) -> ExportTraceServiceRequest:
    """Return a request with one span of about that size."""
    return request_of(made_span(number + 1, number + 1, text("body", "x" * size_bytes)))


def own_metrics(collector: ShippedCollector) -> Counter[str]:
    """Return what a Collector says of its traces, by the names the documentation uses."""
    found: Counter[str] = Counter()
    _, body = collector.get("metrics", "/metrics")
    for name, labels, value in OWN_METRIC.findall(body.decode()):
        if 'data_type="' not in labels or 'data_type="traces"' in labels:
            found[name.removesuffix("_total")] += int(float(value))
    return found


def happen(collector: ShippedCollector, tmp_path: Path) -> Scenario:
    """Let the shop have an incident, which the Collector takes."""
    return run_scenario(
        "everything", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": collector.grpc_endpoint}
    )


def wait_for_all(backend: OtlpReceiver, scenario: Scenario) -> list[ReceivedSpan]:
    """Return what arrived, as soon as every span of the application is among it."""
    expected = {key(item) for item in [*scenario.ended, *scenario.open]}
    backend.wait_for(lambda: expected <= {key(item) for item in backend.spans()}, 60)
    return backend.spans()


def assert_once(received: list[ReceivedSpan], scenario: Scenario) -> None:
    """Fail unless every span of the application is there once, and no span twice."""
    keys = [key(item) for item in received]
    assert len(keys) == len(set(keys))
    expected = [*scenario.ended, *scenario.open]
    assert sorted(map(key, application_spans(received))) == sorted(map(key, expected))


@pytest.mark.parametrize(("file_name", "variable"), BOTH)
def test_many_small_requests_become_few_that_every_receiver_takes(
    backend: OtlpReceiver, tmp_path: Path, file_name: str, variable: str
) -> None:
    """9 MB in 90 requests leave as a handful, each well under the 4 MiB of a default receiver."""
    target = target_of(backend.grpc_endpoint)
    with ShippedCollector(tmp_path / "collector", file_name, {variable: target}) as collector:
        statuses = {
            send(collector.http_endpoint, heavy_request(number, 100_000)) for number in range(90)
        }
        backend.wait_for_spans(90, 60)

    assert statuses == {200}
    assert len({key(item) for item in backend.spans()}) == len(backend.spans()) == 90
    assert len(backend.requests) <= 12
    assert max(request.message.ByteSize() for request in backend.requests) < 3.5 * MIB
    assert backend.refused == []


@pytest.mark.parametrize(("file_name", "variable"), BOTH)
def test_a_request_over_the_limit_is_divided(
    backend: OtlpReceiver, tmp_path: Path, file_name: str, variable: str
) -> None:
    """What came as one request of 9 MB, over HTTP, leaves in parts."""
    spans = [made_span(1, number + 1, text("body", "x" * 100_000)) for number in range(90)]
    target = target_of(backend.grpc_endpoint)
    with ShippedCollector(tmp_path / "collector", file_name, {variable: target}) as collector:
        status = send(collector.http_endpoint, request_of(*spans))
        backend.wait_for_spans(90, 60)

    assert status == 200
    assert len(backend.spans()) == 90
    assert max(request.message.ByteSize() for request in backend.requests) < 3.5 * MIB
    assert backend.refused == []


def test_metrics_and_logs_pass_as_well(backend: OtlpReceiver, tmp_path: Path) -> None:
    """Through agent and gateway, a metric and a log record reach the backend."""
    gauge = Gauge(data_points=[NumberDataPoint(as_int=7)])
    scope = ScopeMetrics(metrics=[Metric(name="queue", gauge=gauge)])
    metrics = ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(scope_metrics=[scope])])
    full = ScopeLogs(log_records=[LogRecord(body=AnyValue(string_value="full"))])
    logs = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[full])])
    target = target_of(backend.grpc_endpoint)
    with (
        ShippedCollector(tmp_path / "gateway", "gateway.yaml", {"BACKEND_ENDPOINT": target}) as to,
        ShippedCollector(tmp_path / "agent", "agent.yaml", {"GATEWAY_ENDPOINT": to.target}) as by,
    ):
        statuses = [send(by.http_endpoint, message) for message in (metrics, logs)]
        backend.wait_for(lambda: bool(backend.metrics() and backend.logs()), 30)

    assert statuses == [200, 200]
    assert [item.metric.name for item in backend.metrics()] == ["queue"]
    assert [item.record.body.string_value for item in backend.logs()] == ["full"]


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_gateway_keeps_an_incident_while_the_backend_is_down(
    backend: OtlpReceiver, tmp_path: Path, end: str
) -> None:
    """What the gateway acknowledged survives its restart, and arrives once, later."""
    target = target_of(backend.grpc_endpoint)
    backend.stop()
    with ShippedCollector(tmp_path / "gw", "gateway.yaml", {"BACKEND_ENDPOINT": target}) as gateway:
        scenario = happen(gateway, tmp_path)

        getattr(gateway, end)()
        gateway.start()
        backend.start()

        assert_once(wait_for_all(backend, scenario), scenario)


def test_an_agent_keeps_an_incident_while_the_gateway_is_down(
    backend: OtlpReceiver, tmp_path: Path
) -> None:
    """The process is rid of it at once; agent and gateway restart, and it arrives once."""
    target = target_of(backend.grpc_endpoint)
    with ShippedCollector(tmp_path / "gw", "gateway.yaml", {"BACKEND_ENDPOINT": target}) as gateway:
        gateway.stop()
        to_gateway = {"GATEWAY_ENDPOINT": gateway.target}
        with ShippedCollector(tmp_path / "agent", "agent.yaml", to_gateway) as agent:
            scenario = happen(agent, tmp_path)

            agent.kill()
            agent.start()
            gateway.start()

            assert_once(wait_for_all(backend, scenario), scenario)


@pytest.mark.parametrize(("file_name", "variable"), BOTH)
def test_a_full_queue_refuses_so_that_senders_try_again(
    backend: OtlpReceiver, tmp_path: Path, file_name: str, variable: str
) -> None:
    """With the backend down and the queue full the answer is 503; what was taken arrives later."""
    variables = {variable: target_of(backend.grpc_endpoint), "QUEUE_BYTES": "2000000"}
    backend.stop()
    with ShippedCollector(tmp_path / "collector", file_name, variables) as collector:
        statuses = [
            send(collector.http_endpoint, heavy_request(number, 700_000)) for number in range(4)
        ]
        metrics = own_metrics(collector)
        backend.start()
        taken = {number + 1 for number, status in enumerate(statuses) if status == 200}
        received = backend.wait_for_spans(len(taken), 60)

    assert statuses[0] == 200
    assert statuses[-1] == 503
    assert metrics["otelcol_exporter_enqueue_failed_spans"] == statuses.count(503)
    assert metrics["otelcol_exporter_queue_size"] >= 700_000
    assert {int.from_bytes(item.span.span_id, "big") for item in received} == taken


def test_without_memory_the_sender_is_told_to_try_again(
    backend: OtlpReceiver, tmp_path: Path
) -> None:
    """Over its memory limit an agent answers 503, and nothing it refused gets through."""
    # Its soft limit is 1 MiB then, which it is over from the first time it looks.
    variables = {"GATEWAY_ENDPOINT": target_of(backend.grpc_endpoint), "AGENT_MEMORY_MIB": "65"}
    numbers = count(1)

    def refused(agent: ShippedCollector) -> int:
        number = next(numbers)
        return number if send(agent.http_endpoint, heavy_request(number, 10)) == 503 else 0

    with ShippedCollector(tmp_path / "agent", "agent.yaml", variables) as agent:
        first = agent.wait_for("never refused", partial(refused, agent))
        metrics = own_metrics(agent)
        agent.stop()  # which sends what it took before

    sent_on = {int.from_bytes(item.span.span_id, "big") for item in backend.spans()}
    assert sent_on == {number + 1 for number in range(1, first)}
    assert metrics["otelcol_processor_refused_spans"] >= 1
