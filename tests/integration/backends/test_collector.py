"""An incident on its way through a real Collector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.backends.backend_process import needs_backends
from tests.backends.scenario import application_spans, key, run_scenario
from tests.support.backends.collector_process import CollectorProcess
from tests.support.backends.jaeger_process import JaegerProcess

pytestmark = [*needs_backends("collector", "jaeger"), pytest.mark.timeout(120)]

FORWARDING = """\
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{grpc}
      http:
        endpoint: 127.0.0.1:{http}
processors:
  batch:
    timeout: 100ms
exporters:
  otlp:
    endpoint: {backend}
    tls:
      insecure: true
extensions:
  health_check:
    endpoint: 127.0.0.1:{health}
service:
  extensions: [health_check]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlp]
  telemetry:
    metrics:
      level: none
"""
COMPONENTS = {
    "receivers": "otlp otlpjsonfile",
    "processors": "attributes batch filter memory_limiter probabilistic_sampler redaction resource "
    "tail_sampling transform",
    "exporters": "debug file loadbalancing nop otlp otlphttp",
    "connectors": "forward routing spanmetrics",
    "extensions": "bearertokenauth file_storage health_check",
}


@pytest.fixture
def jaeger(tmp_path: Path) -> Iterator[JaegerProcess]:
    """Run a Jaeger of this test's own."""
    with JaegerProcess(tmp_path / "jaeger") as process:
        yield process


@pytest.fixture
def collector(jaeger: JaegerProcess, tmp_path: Path) -> Iterator[CollectorProcess]:
    """Run a Collector that forwards to Jaeger."""
    backend = f"127.0.0.1:{jaeger.ports['grpc']}"

    def forwarding(ports: Mapping[str, int]) -> str:
        return FORWARDING.format(backend=backend, **ports)

    with CollectorProcess(tmp_path / "collector", forwarding) as process:
        yield process


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_an_incident_passes_through_whole(
    collector: CollectorProcess, jaeger: JaegerProcess, tmp_path: Path, protocol: str
) -> None:
    """What the shop sent to the Collector is in Jaeger once, nothing missing."""
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_endpoint

    scenario = run_scenario(
        "everything",
        tmp_path / "shop",
        {"OTEL_FLIGHT_ENDPOINT": endpoint, "OTEL_FLIGHT_PROTOCOL": protocol},
    )
    collector.stop()  # which sends what it still holds

    trace_ids = [found["traceID"] for found in jaeger.find_traces(scenario.service)]
    spans = [span for trace_id in trace_ids for span in jaeger.stored_spans(trace_id)]
    expected = [*scenario.ended, *scenario.open]
    assert sorted(map(key, application_spans(spans))) == sorted(map(key, expected))


def test_a_configuration_is_validated(collector: CollectorProcess, tmp_path: Path) -> None:
    """A good file gives no complaint; a bad one gives one that names the mistake."""
    good = tmp_path / "collector" / "collector.yaml"
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("[batch]", "[bach]"))

    assert collector.complaints(good) == ""
    assert "bach" in collector.complaints(bad)


def test_the_components_the_examples_use_are_there(collector: CollectorProcess) -> None:
    """The Collector that `make backends` builds has each component a configuration may name."""
    built = collector.components()

    assert {kind: built.get(kind) for kind in COMPONENTS} == {
        kind: set(names.split()) for kind, names in COMPONENTS.items()
    }
