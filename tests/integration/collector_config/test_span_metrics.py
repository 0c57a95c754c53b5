"""What collector-config/span-metrics.yaml promises, with a real Collector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)

from tests.backends.backend_process import needs_backends
from tests.backends.scenario import (
    UNFINISHED,
    Scenario,
    application_spans,
    attributes,
    key,
    of_kind,
    run_scenario,
)
from tests.support.backends.shipped_collector import ShippedCollector, target_of
from tests.support.processes.ordinary_service import OrdinaryService
from tests.support.receivers.otlp_client import send
from tests.support.receivers.otlp_receiver import OtlpReceiver

pytestmark = [*needs_backends("collector"), pytest.mark.timeout(120)]

CALLS = "traces.span.metrics.calls"
DURATION = "traces.span.metrics.duration"


@pytest.fixture
def traces() -> Iterator[OtlpReceiver]:
    """Run a receiver in the place of the backend for traces."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def metrics() -> Iterator[OtlpReceiver]:
    """Run a receiver in the place of the backend for metrics."""
    with OtlpReceiver() as receiver:
        yield receiver


def counting(
    traces: OtlpReceiver, metrics: OtlpReceiver, tmp_path: Path, **variables: str
) -> ShippedCollector:
    """Return the Collector, to be started; its metrics go out every second."""
    return ShippedCollector(
        tmp_path / "collector",
        "span-metrics.yaml",
        {
            "BACKEND_ENDPOINT": target_of(traces.grpc_endpoint),
            "METRICS_BACKEND_ENDPOINT": target_of(metrics.grpc_endpoint),
            "METRICS_INTERVAL": "1s",
            **variables,
        },
    )


def counts(metrics: OtlpReceiver, metric_name: str) -> Counter[tuple[str, str]]:
    """Return the latest counts by service and span name; the metrics are cumulative."""
    found: dict[tuple[str, str, str], int] = {}
    for received in metrics.metrics():
        if received.metric.name != metric_name:
            continue
        points: list[tuple[NumberDataPoint | HistogramDataPoint, int]] = [
            *((point, point.as_int) for point in received.metric.sum.data_points),
            *((point, point.count) for point in received.metric.histogram.data_points),
        ]
        for point, value in points:
            values = {each.key: each.value.string_value for each in point.attributes}
            series = (values["service.name"], values["span.name"], str(sorted(values.items())))
            found[series] = value
    sums: Counter[tuple[str, str]] = Counter()
    for (service, span, _), value in found.items():
        sums[service, span] += value
    return sums


def fail_in_the_shop(collector: ShippedCollector, tmp_path: Path) -> Scenario:
    """Let the shop have an incident, which the Collector takes."""
    return run_scenario(
        "everything", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": collector.grpc_endpoint}
    )


def test_calls_are_those_of_the_application(
    traces: OtlpReceiver, metrics: OtlpReceiver, tmp_path: Path
) -> None:
    """Each span that the application ended counts once, and no other span does."""
    with counting(traces, metrics, tmp_path) as collector:
        with OrdinaryService("ordinary", collector.grpc_endpoint) as service:
            for _ in range(5):
                service.tracer.start_span("GET /").end()
        scenario = fail_in_the_shop(collector, tmp_path)
        expected = Counter((scenario.service, item.span.name) for item in scenario.ended)
        expected["ordinary", "GET /"] = 5
        metrics.wait_for(lambda: counts(metrics, CALLS) == expected, 30)
        metrics.wait_for(lambda: counts(metrics, DURATION) == expected, 30)
        collector.stop()  # which sends what it still holds

    assert counts(metrics, CALLS) == counts(metrics, DURATION) == expected
    assert len(of_kind(traces.spans(), "incident")) == 1
    own = [item for item in traces.spans() if key(item) not in set(map(key, scenario.ended))]
    unfinished = [item for item in application_spans(own) if UNFINISHED in attributes(item)]
    assert len(unfinished) == len(scenario.open) == 2


def test_every_span_goes_to_the_backend_of_traces(
    traces: OtlpReceiver, metrics: OtlpReceiver, tmp_path: Path
) -> None:
    """What is not counted is not lost either: the whole incident is there, once."""
    with counting(traces, metrics, tmp_path) as collector:
        scenario = fail_in_the_shop(collector, tmp_path)
        collector.stop()

    found = application_spans(traces.spans())
    assert sorted(map(key, found)) == sorted(map(key, [*scenario.ended, *scenario.open]))
    assert all(of_kind(traces.spans(), kind) for kind in ("incident", "lane", "index"))


def test_spans_of_incidents_can_be_left_out_of_the_counts(
    traces: OtlpReceiver, metrics: OtlpReceiver, tmp_path: Path
) -> None:
    """With COUNT_INCIDENT_SPANS=false the calls are what the services export themselves."""
    with counting(traces, metrics, tmp_path, COUNT_INCIDENT_SPANS="false") as collector:
        fail_in_the_shop(collector, tmp_path)
        with OrdinaryService("ordinary", collector.grpc_endpoint) as service:
            service.tracer.start_span("GET /").end()
        expected = Counter({("ordinary", "GET /"): 1})
        metrics.wait_for(lambda: counts(metrics, CALLS) == expected, 30)
        collector.stop()

    assert counts(metrics, CALLS) == expected


def test_metrics_of_the_services_pass(
    traces: OtlpReceiver, metrics: OtlpReceiver, tmp_path: Path
) -> None:
    """What a service measures itself goes to the same backend."""
    gauge = Gauge(data_points=[NumberDataPoint(as_int=7)])
    scope = ScopeMetrics(metrics=[Metric(name="flight_recorder.window.bytes", gauge=gauge)])
    message = ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(scope_metrics=[scope])])
    with counting(traces, metrics, tmp_path) as collector:
        status = send(collector.http_endpoint, message)
        collector.stop()

    assert status == 200
    assert [item.metric.name for item in metrics.metrics()] == ["flight_recorder.window.bytes"]
