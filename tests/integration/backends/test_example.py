"""The example of two services, with a real Jaeger, Tempo and Collector that its files start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from tests.backends.backend_process import needs_backends
from tests.backends.scenario import KIND, of_kind, service_of
from tests.backends.span_store import JaegerStore, SpanStore, TempoStore, incident_trace
from tests.support.backends.example_backends import (
    EXAMPLE,
    HOST,
    ExampleCollector,
    ExampleJaeger,
    ExampleTempo,
)
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.backends.tempo_process import TempoProcess
from tests.support.processes.http_requests import status_of
from tests.support.processes.service_process import ServiceProcess, free_port

pytestmark = [*needs_backends("jaeger", "tempo", "collector"), pytest.mark.timeout(180)]

SERVICES = ("storefront", "warehouse")


@pytest.fixture
def jaeger(tmp_path: Path) -> Iterator[JaegerProcess]:
    """Run the example's Jaeger."""
    with ExampleJaeger(tmp_path / "jaeger") as process:
        yield process


@pytest.fixture
def tempo(tmp_path: Path) -> Iterator[TempoProcess]:
    """Run the example's Tempo."""
    with ExampleTempo(tmp_path / "tempo") as process:
        yield process


@pytest.fixture
def collector(
    tmp_path: Path, jaeger: JaegerProcess, tempo: TempoProcess
) -> Iterator[ExampleCollector]:
    """Run the example's Collector."""
    with ExampleCollector(tmp_path / "collector", jaeger, tempo) as process:
        yield process


@pytest.fixture
def storefront_url(tmp_path: Path, collector: ExampleCollector) -> Iterator[str]:
    """Run both services as the example's page starts them; return the storefront's address."""
    ports = {"warehouse": free_port(), "storefront": free_port()}
    with ExitStack() as running:
        for name, port in ports.items():
            process = ServiceProcess(
                ["-m", "uvicorn", f"{name}:app", "--port", str(port)],
                instrumented=True,
                environment={
                    "OTEL_SERVICE_NAME": name,
                    "OTEL_TRACES_EXPORTER": "otel_flight",
                    "OTEL_METRICS_EXPORTER": "none",
                    "OTEL_LOGS_EXPORTER": "none",
                    "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address("grpc"),
                    "OTEL_FLIGHT_TAIL": "500ms",
                    "WAREHOUSE_URL": f"http://{HOST}:{ports['warehouse']}",
                },
                working_directory=EXAMPLE,
                ready_address=f"tcp://{HOST}:{port}",
            )
            running.enter_context(process).wait_until_ready()
        yield f"http://{HOST}:{ports['storefront']}"


def manifest_of(entry: SpoolEntry) -> Manifest:
    """Return what an incident says of itself."""
    return read_incident(entry.path).manifest


def test_the_failing_order_is_in_both_backends(
    storefront_url: str, jaeger: JaegerProcess, tempo: TempoProcess, tmp_path: Path
) -> None:
    """Each service has its incident in each backend; both lead to one trace through both."""
    assert [status_of(f"{storefront_url}/orders/{number}") for number in (1, 2)] == [200] * 2

    assert status_of(f"{storefront_url}/orders/3") == 500

    for service in SERVICES:
        found = partial(jaeger.find_traces, service, tags={KIND: "incident"})
        jaeger.wait_for(f"no incident of {service}", found)
    entries = Spool(tmp_path / "spool", 1 << 30, 9).entries()
    manifests = {each.service_name: each for each in map(manifest_of, entries)}
    assert sorted(manifests) == sorted(SERVICES)
    assert "hammer" in manifests["warehouse"].findings[0].summary
    stores: list[SpanStore] = [JaegerStore(jaeger), TempoStore(tempo)]
    for store in stores:
        failed = set()
        for service, manifest in manifests.items():
            trace = incident_trace(store, service, manifest.incident_id)
            (root,) = of_kind(store.spans_of([trace]), "incident")
            failed.add(root.span.links[0].trace_id.hex())
        (trace,) = failed
        spans = store.spans_of([trace])
        assert {service_of(item) for item in spans} == set(SERVICES)
        assert [item.span.name for item in spans].count("query stock") == 2
