"""The Collector is down, dies, or is slow: the incident arrives all the same, the service works on.

Each time a real service under light load sends to a real Collector, which forwards to a Jaeger.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.delivery.span_chunks import MOST_SPANS
from tests.backends.backend_process import needs_backends
from tests.backends.forwarding import PROTOCOLS, Protocol, delivering_to, forwarding
from tests.backends.loaded_service import LoadedService, assert_whole, assert_whole_and_once
from tests.support.backends.collector_process import CollectorProcess
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.receivers.tcp_relay import TcpRelay

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


def endpoint_of(collector: CollectorProcess, protocol: Protocol) -> str:
    """Return where the Collector takes a protocol."""
    return collector.grpc_endpoint if protocol == "grpc" else collector.http_endpoint


@by_protocol
def test_a_collector_that_comes_back_gets_what_it_missed(
    collector: CollectorProcess, jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """Down at the trigger, up later: whole and once, nothing doubtful, no request harmed."""
    collector.kill()
    environment = delivering_to(endpoint_of(collector, protocol), protocol)
    with LoadedService(f"down-{protocol[:4]}", tmp_path / "service", environment) as service:
        incident_id = service.fail()
        failing = service.wait_until_failing(incident_id)
        collector.start()
        state = service.wait_until_delivered(incident_id)
        service.load.wait_for_more(10)

        service.assert_unharmed()
    assert "refused" in failing.last_error
    assert (state.undeliverable_spans, state.resent_chunks) == (0, 0)
    assert_whole_and_once(jaeger, service, incident_id)


@by_protocol
def test_the_next_process_delivers_what_was_left(
    collector: CollectorProcess, jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """Down until after the process has ended: the next one delivers, whole and once."""
    collector.kill()
    environment = delivering_to(endpoint_of(collector, protocol), protocol)
    name = f"restarted-{protocol[:4]}"
    with LoadedService(name, tmp_path / "service", environment) as service:
        incident_id = service.fail()
        service.wait_until_failing(incident_id)
        service.stop()

        service.assert_unharmed()
    assert not service.state(incident_id).delivered
    collector.start()
    with LoadedService(name, tmp_path / "service", environment) as restarted:
        state = restarted.wait_until_delivered(incident_id)
        restarted.load.wait_for_more(10)

        restarted.assert_unharmed()
    assert state.resent_chunks == 0
    assert_whole_and_once(jaeger, restarted, incident_id)


@by_protocol
def test_a_collector_that_is_killed_over_a_request_costs_no_span(
    collector: CollectorProcess, jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """Of what was sent before, only the request whose answer died with it may be there twice."""
    with TcpRelay(collector.ports["grpc" if protocol == "grpc" else "http"]) as relay:
        environment = delivering_to(relay.endpoint, protocol)
        with LoadedService(f"killed-{protocol[:4]}", tmp_path / "service", environment) as service:
            relay.answer_after(0.3)
            incident_id = service.fail(requests_before=200)
            service.wait_for_state(incident_id, lambda state: state.chunks >= 2)
            relay.hold_answers()
            service.load.wait_for_more(20)
            collector.kill()
            relay.cut()
            relay.answer_after(0.0)
            failing = service.wait_until_failing(incident_id)
            collector.start()
            relay.listen()
            state = service.wait_until_delivered(incident_id)

            service.assert_unharmed()
    assert failing.may_have_arrived
    assert state.resent_chunks == 1
    assert_whole(jaeger, service, incident_id, most_repeated=MOST_SPANS)


@by_protocol
def test_a_slow_backend_gets_everything_once(
    jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """Answers that take long, but come in time, are waited for; the requests of users are not."""
    with (
        TcpRelay(jaeger.ports["grpc"]) as relay,
        CollectorProcess(
            tmp_path / "collector", lambda ports: forwarding(ports, relay.port)
        ) as collector,
    ):
        relay.answer_after(1.0)
        environment = delivering_to(endpoint_of(collector, protocol), protocol) | {
            "OTEL_EXPORTER_OTLP_TIMEOUT": "10"
        }
        with LoadedService(f"slow-{protocol[:4]}", tmp_path / "service", environment) as service:
            incident_id = service.fail(requests_before=120)
            state = service.wait_until_delivered(incident_id)

            service.assert_unharmed()
    assert (state.attempts, state.resent_chunks) == (1, 0)
    assert_whole_and_once(jaeger, service, incident_id)


@by_protocol
def test_a_backend_slower_than_the_timeout_gets_everything(
    jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """What was given up may have arrived: it is sent again, and each such request is counted."""
    with (
        TcpRelay(jaeger.ports["grpc"]) as relay,
        CollectorProcess(
            tmp_path / "collector", lambda ports: forwarding(ports, relay.port)
        ) as collector,
    ):
        relay.answer_after(4.0)
        environment = delivering_to(endpoint_of(collector, protocol), protocol)
        name = f"slower-{protocol[:4]}"
        with LoadedService(name, tmp_path / "service", environment) as service:
            incident_id = service.fail(requests_before=120)
            failing = service.wait_until_failing(incident_id)
            relay.answer_after(0.0)
            state = service.wait_until_delivered(incident_id)

            service.assert_unharmed()
    assert failing.may_have_arrived
    assert state.resent_chunks >= 1
    repeated = state.resent_chunks * MOST_SPANS
    assert_whole(jaeger, service, incident_id, most_repeated=repeated)
