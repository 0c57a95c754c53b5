"""What collector-config/tail-sampling.yaml promises, with a real Collector."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace

import otel_flight
from tests.backends.backend_process import needs_backends
from tests.backends.scenario import (
    INCIDENT_ID,
    application_spans,
    attributes,
    key,
    of_kind,
    run_scenario,
    service_of,
)
from tests.support.backends.shipped_collector import ShippedCollector, target_of
from tests.support.processes.ordinary_service import OrdinaryService
from tests.support.receivers.otlp_messages import ReceivedSpan
from tests.support.receivers.otlp_receiver import OtlpReceiver

pytestmark = [*needs_backends("collector"), pytest.mark.timeout(120)]

DECIDED = re.compile(
    r"^otelcol_processor_tail_sampling_global_count_traces_sampled_total\{.*\} (\S+)$", re.MULTILINE
)


@pytest.fixture
def backend() -> Iterator[OtlpReceiver]:
    """Run a receiver in the backend's place."""
    with OtlpReceiver() as receiver:
        yield receiver


def sampler(
    backend: OtlpReceiver, tmp_path: Path, *, percentage: float, wait: str
) -> ShippedCollector:
    """Return the Collector, to be started."""
    variables = {
        "BACKEND_ENDPOINT": target_of(backend.grpc_endpoint),
        "SAMPLING_PERCENTAGE": str(percentage),
        "DECISION_WAIT": wait,
    }
    return ShippedCollector(tmp_path / "collector", "tail-sampling.yaml", variables)


def wait_for_decisions(collector: ShippedCollector, traces: int) -> None:
    """Block until so many traces are decided on, by the Collector's own count."""

    def is_decided() -> bool:
        _, body = collector.get("metrics", "/metrics")
        return sum(int(float(found)) for found in DECIDED.findall(body.decode())) >= traces

    collector.wait_for(f"not {traces} decisions", is_decided)


def stamped(items: list[ReceivedSpan]) -> list[ReceivedSpan]:
    """Return the spans that came with an incident."""
    return [item for item in items if INCIDENT_ID in attributes(item)]


def unstamped(items: list[ReceivedSpan]) -> list[ReceivedSpan]:
    """Return the spans that came otherwise."""
    return [item for item in items if INCIDENT_ID not in attributes(item)]


def test_an_incident_is_whole_and_the_rest_is_sampled(
    backend: OtlpReceiver, tmp_path: Path
) -> None:
    """Of 2000 ordinary traces about a tenth passes, whole; of an incident every span, once."""
    with sampler(backend, tmp_path, percentage=10, wait="2s") as collector:
        with OrdinaryService("ordinary", collector.grpc_endpoint, is_batching=True) as service:
            for _ in range(2000):
                with service.tracer.start_as_current_span("GET /"):
                    service.tracer.start_span("query").end()
        scenario = run_scenario(
            "everything", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": collector.grpc_endpoint}
        )
        wait_for_decisions(collector, 2000 + len(scenario.trace_ids))
        collector.stop()  # which sends what it still holds

    ordinary = Counter(
        item.span.trace_id for item in backend.spans() if service_of(item) == "ordinary"
    )
    assert set(ordinary.values()) == {2}
    assert 140 < len(ordinary) < 260  # 4.5 standard deviations around 200
    incident = [item for item in backend.spans() if service_of(item) == scenario.service]
    expected = [*scenario.ended, *scenario.open]
    assert sorted(map(key, application_spans(incident))) == sorted(map(key, expected))
    assert len(of_kind(incident, "incident")) == 1
    assert len({key(item) for item in incident}) == len(incident)


def test_an_incident_brings_back_what_was_decided_against(
    backend: OtlpReceiver, tmp_path: Path
) -> None:
    """Traces that were dropped before the incident are whole with it; late spans are not lost."""
    with (
        sampler(backend, tmp_path, percentage=10, wait="1s") as collector,
        OrdinaryService("shop", collector.grpc_endpoint, is_batching=True) as service,
    ):
        recorder = otel_flight.install(
            tracer_provider=service.provider,
            endpoint=collector.grpc_endpoint,
            skip_exported=False,
            tail_seconds=0,
        )
        assert recorder is not None
        for _ in range(100):
            with service.tracer.start_as_current_span("GET /"):
                service.tracer.start_span("query").end()
        service.provider.force_flush()
        wait_for_decisions(collector, 100)

        recorder.trigger("too late for the sampler")
        otel_flight.uninstall()  # which delivers it
        backend.wait_for(lambda: bool(of_kind(backend.spans(), "incident")), 30)
        collector.stop()

    with_incident = application_spans(stamped(backend.spans()))
    assert len(with_incident) == len({key(item) for item in with_incident}) == 200
    sampled = {item.span.trace_id for item in unstamped(backend.spans())}
    assert 0 < len(sampled) < 30


def test_an_incident_does_not_wait_for_a_decision(backend: OtlpReceiver, tmp_path: Path) -> None:
    """It is in the backend long before any decision, so that a Collector's end takes none of it."""
    with sampler(backend, tmp_path, percentage=10, wait="10m") as collector:
        scenario = run_scenario(
            "everything", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": collector.grpc_endpoint}
        )
        expected = {key(item) for item in [*scenario.ended, *scenario.open]}
        collector.kill()
        collector.start()
        backend.wait_for(lambda: expected <= {key(item) for item in backend.spans()}, 30)

    assert len(stamped(backend.spans())) == len(backend.spans())


def test_other_services_of_the_trace_are_kept(backend: OtlpReceiver, tmp_path: Path) -> None:
    """A service without a recorder loses no span of a trace that an incident is in."""
    with (
        sampler(backend, tmp_path, percentage=0, wait="6s") as collector,
        OrdinaryService("caller", collector.grpc_endpoint, seed=1) as caller,
        OrdinaryService("shop", seed=2) as shop,
    ):
        recorder = otel_flight.install(
            tracer_provider=shop.provider, endpoint=collector.grpc_endpoint, tail_seconds=0
        )
        assert recorder is not None
        for number in range(5):
            with caller.tracer.start_as_current_span(f"caller {number}") as outer:
                context = trace.set_span_in_context(
                    trace.NonRecordingSpan(outer.get_span_context())
                )
                shop.tracer.start_span(f"shop {number}", context).end()
        caller.tracer.start_span("elsewhere").end()

        recorder.trigger("broken")
        otel_flight.uninstall()  # which delivers it
        wait_for_decisions(collector, 7)  # five shared traces, one elsewhere, the incident's own
        collector.stop()

    names = Counter(item.span.name for item in application_spans(backend.spans()))
    expected = [f"{service} {number}" for number in range(5) for service in ("caller", "shop")]
    assert names == Counter(expected)
