"""The process itself is killed over a delivery: its next start completes it, nothing missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.delivery.span_chunks import MOST_SPANS
from tests.backends.backend_process import needs_backends
from tests.backends.forwarding import PROTOCOLS, Protocol, delivering_to, forwarding
from tests.backends.loaded_service import (
    LoadedService,
    assert_whole,
    assert_whole_and_once,
    copies_in,
    window_of,
)
from tests.support.backends.collector_process import CollectorProcess
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.receivers.otlp_relay import OtlpRelay

pytestmark = [*needs_backends("collector", "jaeger"), pytest.mark.timeout(180)]
by_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture(scope="module")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JaegerProcess]:
    """Run a Jaeger for all tests; each has a service of its own."""
    with JaegerProcess(tmp_path_factory.mktemp("jaeger")) as process:
        yield process


@pytest.fixture
def collector(jaeger: JaegerProcess, tmp_path: Path) -> Iterator[CollectorProcess]:
    """Run a Collector that forwards to Jaeger."""
    with CollectorProcess(
        tmp_path / "collector", lambda ports: forwarding(ports, jaeger.ports["grpc"])
    ) as process:
        yield process


@by_protocol
def test_a_process_killed_over_a_request_costs_no_span(
    collector: CollectorProcess, jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """The request it was killed over had arrived: that one is there twice, counted, no other."""
    with OtlpRelay(collector.http_endpoint) as relay:
        environment = delivering_to(relay.endpoint(protocol), protocol)
        environment["OTEL_EXPORTER_OTLP_TIMEOUT"] = "30"
        name = f"shot-{protocol[:4]}"
        relay.hold_answers(after=3)
        with LoadedService(name, tmp_path / "service", environment) as service:
            incident_id = service.fail(requests_before=200)
            relay.wait_until_holding()
            service.load.wait_for_more(20)
            killed_at = service.state(incident_id)
            service.assert_unharmed()
            service.kill()
        incident = service.incident(incident_id)
        before = copies_in(jaeger, name, incident)
        relay.release_answers()
        with LoadedService(name, tmp_path / "service", environment) as restarted:
            state = restarted.wait_until_delivered(incident_id)
            restarted.load.wait_for_more(10)

            restarted.assert_unharmed()
    assert (killed_at.delivered, killed_at.chunks, killed_at.may_have_arrived) == (False, 3, True)
    assert (state.resent_chunks, state.undeliverable_spans) == (1, 0)
    after = copies_in(jaeger, name, incident)
    assert window_of(incident) - set(after) == set()
    repeated = {span for span, count in after.items() if count > 1}
    assert 0 < len(repeated) <= MOST_SPANS
    assert repeated < set(before)
    assert set(after.values()) == {1, 2}


def test_each_kill_repeats_one_request_at_most(
    collector: CollectorProcess, jaeger: JaegerProcess, tmp_path: Path
) -> None:
    """Killed over one request after another, the process gets on by what was acknowledged."""
    with OtlpRelay(collector.http_endpoint) as relay:
        environment = delivering_to(relay.endpoint("http/protobuf"), "http/protobuf")
        environment["OTEL_EXPORTER_OTLP_TIMEOUT"] = "30"
        environment["OTEL_FLIGHT_RECOVER"] = "off"  # the requests are to be of one incident
        relay.hold_answers(after=2)
        with LoadedService("shot-often", tmp_path / "service", environment) as service:
            incident_id = service.fail(requests_before=300)
            relay.wait_until_holding()
            service.kill()
        relay.release_answers()
        for _ in range(2):
            relay.hold_answers(after=1)
            with LoadedService("shot-often", tmp_path / "service", environment) as again:
                relay.wait_until_holding()
                again.kill()
            relay.release_answers()
        with LoadedService("shot-often", tmp_path / "service", environment) as last:
            state = last.wait_until_delivered(incident_id)
    assert (state.attempts, state.resent_chunks, state.undeliverable_spans) == (4, 3, 0)
    assert_whole(jaeger, last, incident_id, most_repeated=3 * MOST_SPANS)


@by_protocol
def test_a_process_killed_before_anything_was_sent_repeats_nothing(
    collector: CollectorProcess, jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """Its backend was down until the kill: the next start delivers whole and once."""
    collector.kill()
    port = collector.ports["grpc" if protocol == "grpc" else "http"]
    environment = delivering_to(f"http://127.0.0.1:{port}", protocol)
    name = f"shot-early-{protocol[:4]}"
    with LoadedService(name, tmp_path / "service", environment) as service:
        incident_id = service.fail()
        service.wait_until_failing(incident_id)
        service.assert_unharmed()
        service.kill()
    collector.start()
    with LoadedService(name, tmp_path / "service", environment) as restarted:
        state = restarted.wait_until_delivered(incident_id)
        restarted.load.wait_for_more(10)

        restarted.assert_unharmed()
    assert state.undeliverable_spans == 0
    assert_whole_and_once(jaeger, restarted, incident_id)
