"""The Collector refuses: for want of memory, for a request's size, or as proxies in front of it do.

Each time a real service under light load sends to a real Collector, which forwards to a Jaeger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from otel_flight.delivery.span_chunks import MOST_BYTES
from tests.backends.backend_process import needs_backends
from tests.backends.forwarding import PROTOCOLS, Protocol, delivering_to, forwarding
from tests.backends.loaded_service import (
    LoadedService,
    assert_whole_and_once,
    copies_in,
    window_of,
)
from tests.support.backends.collector_process import CollectorProcess
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.incidents.command_line import run
from tests.support.receivers.otlp_messages import Refusal
from tests.support.receivers.otlp_relay import OtlpRelay

pytestmark = [*needs_backends("collector", "jaeger"), pytest.mark.timeout(180)]
by_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)

MIB = 1024 * 1024
NO_MEMORY = {"memory_limiter": {"check_interval": "100ms", "limit_mib": 1}}
ENOUGH_MEMORY = {"memory_limiter": {"check_interval": "100ms", "limit_mib": 2000}}
SMALL_HTTP = {"max_request_body_size": 100_000}
MakeCollector = Callable[..., AbstractContextManager[CollectorProcess]]


@pytest.fixture(scope="module")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JaegerProcess]:
    """Run a Jaeger for all tests; each has a service of its own."""
    with JaegerProcess(tmp_path_factory.mktemp("jaeger")) as process:
        yield process


@pytest.fixture
def make_collector(jaeger: JaegerProcess, tmp_path: Path) -> MakeCollector:
    """Return what makes a Collector with some options that forwards to Jaeger."""

    def make(**options: Any) -> CollectorProcess:
        return CollectorProcess(
            tmp_path / "collector",
            lambda ports: forwarding(ports, jaeger.ports["grpc"], **options),
        )

    return make


def endpoint_of(collector: CollectorProcess, protocol: Protocol) -> str:
    """Return where the Collector takes a protocol."""
    return collector.grpc_endpoint if protocol == "grpc" else collector.http_endpoint


@by_protocol
def test_a_collector_without_memory_is_waited_for(
    make_collector: MakeCollector, jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """What its memory limiter refuses is sent when it has room: whole and once."""
    with make_collector(processors=NO_MEMORY) as small:
        environment = delivering_to(endpoint_of(small, protocol), protocol)
        with LoadedService(f"memory-{protocol[:4]}", tmp_path / "service", environment) as service:
            incident_id = service.fail()
            failing = service.wait_until_failing(incident_id)
            ports = small.ports
            small.stop()
            with make_collector(processors=ENOUGH_MEMORY) as roomy:
                roomy.kill()
                roomy.ports = ports
                roomy.start()
                state = service.wait_until_delivered(incident_id)
                service.load.wait_for_more(10)

                service.assert_unharmed()
    assert "data refused due to high memory usage" in failing.last_error
    assert (failing.chunks, failing.may_have_arrived) == (0, False)
    assert (state.undeliverable_spans, state.resent_chunks) == (0, 0)
    assert_whole_and_once(jaeger, service, incident_id)


@by_protocol
def test_no_request_is_over_the_usual_limit(
    make_collector: MakeCollector, jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """Spans of many times 4 MiB reach a Collector as it comes, at the first attempt."""
    with make_collector() as collector:
        environment = delivering_to(endpoint_of(collector, protocol), protocol)
        environment |= {"LOADED_TEXT_BYTES": "20000", "LOADED_CHILDREN": "9"}
        with LoadedService(f"large-{protocol[:4]}", tmp_path / "service", environment) as service:
            incident_id = service.fail(requests_before=100)
            state = service.wait_until_delivered(incident_id)

            service.assert_unharmed()
    assert service.incident(incident_id).manifest.window_bytes > 4 * MIB > MOST_BYTES
    assert (state.attempts, state.last_error) == (1, "")
    assert (state.undeliverable_spans, state.resent_chunks) == (0, 0)
    assert_whole_and_once(jaeger, service, incident_id)


@by_protocol
def test_a_smaller_limit_is_found(
    make_collector: MakeCollector, jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """Requests that this Collector finds too large arrive in parts, at the first attempt.

    By HTTP it answers 400 and not 413.
    """
    with make_collector(grpc={"max_recv_msg_size_mib": 1}, http=SMALL_HTTP) as collector:
        environment = delivering_to(endpoint_of(collector, protocol), protocol)
        environment |= {"LOADED_TEXT_BYTES": "20000", "LOADED_CHILDREN": "9"}
        with LoadedService(f"small-{protocol[:4]}", tmp_path / "service", environment) as service:
            incident_id = service.fail(requests_before=60)
            state = service.wait_until_delivered(incident_id)

            service.assert_unharmed()
    assert (state.attempts, state.undeliverable_spans, state.resent_chunks) == (1, 0, 0)
    assert_whole_and_once(jaeger, service, incident_id)


def test_a_span_over_the_limit_holds_up_no_other(
    make_collector: MakeCollector,
    jaeger: JaegerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is given up, and told by the command line; every other span is there once."""
    with make_collector(http={"max_request_body_size": 20_000}) as collector:
        environment = delivering_to(collector.http_endpoint, "http/protobuf")
        with LoadedService("giant", tmp_path / "service", environment) as service:
            assert service.request("/large/40000") == 200
            incident_id = service.fail()
            state = service.wait_until_delivered(incident_id)
            service.load.wait_for_more(10)

            service.assert_unharmed()
    incident = service.incident(incident_id)
    copies = copies_in(jaeger, service.name, incident)
    (large,) = [found.record for found in incident.window.spans() if found.record.name == "large"]
    assert window_of(incident) - set(copies) == {
        (f"{large.trace_id:032x}", f"{large.span_id:016x}")
    }
    assert set(copies.values()) == {1}
    assert (state.attempts, state.undeliverable_spans) == (1, 1)
    assert "400 Bad Request: http: request body too large" in state.undeliverable_reason
    monkeypatch.setenv("OTEL_FLIGHT_SPOOL_DIRECTORY", str(tmp_path / "service" / "spool"))
    assert "delivered without 1 span" in run("list").output
    shown = " ".join(run("show", incident_id).output.split())
    assert "without 1 span it does not take: 400 Bad Request: http: request body too lar" in shown


@pytest.mark.parametrize(
    ("times", "refusal"),
    [
        (6, Refusal(http_status=429, grpc_code="", retry_after_seconds=1)),
        (2, Refusal(http_status=429, grpc_code="", retry_after_seconds=4)),
        (6, Refusal(http_status=503, grpc_code="")),
        (6, Refusal(http_status=502, grpc_code="")),
    ],
    ids=["throttled", "throttled-for-long", "unavailable", "bad-gateway"],
)
def test_a_proxy_that_refuses_for_a_while_is_waited_for(
    make_collector: MakeCollector,
    jaeger: JaegerProcess,
    tmp_path: Path,
    times: int,
    refusal: Refusal,
) -> None:
    """Throttling and outages of what stands in front of the Collector cost no span."""
    with make_collector() as collector, OtlpRelay(collector.http_endpoint) as proxy:
        proxy.refuse_next(times, refusal)
        environment = delivering_to(proxy.endpoint("http/protobuf"), "http/protobuf")
        name = f"refused-{refusal.http_status}-{refusal.retry_after_seconds}"
        with LoadedService(name, tmp_path / "service", environment) as service:
            incident_id = service.fail()
            failing = service.wait_until_failing(incident_id)
            state = service.wait_until_delivered(incident_id, 90.0)

            service.assert_unharmed()
    assert failing.last_error.startswith(f"{refusal.http_status} ")
    assert proxy.refused == times
    assert state.undeliverable_spans == 0
    # Of a bad gateway nobody knows whether the request went through; of the others all do.
    assert (state.resent_chunks > 0) == (refusal.http_status == 502)
    assert_whole_and_once(jaeger, service, incident_id)


def test_a_proxy_with_a_limit_of_its_own_gets_parts(
    make_collector: MakeCollector, jaeger: JaegerProcess, tmp_path: Path
) -> None:
    """What is answered 413 goes out in halves: whole and once, at the first attempt."""
    with (
        make_collector() as collector,
        OtlpRelay(collector.http_endpoint, max_request_bytes=30_000) as proxy,
    ):
        environment = delivering_to(proxy.endpoint("http/protobuf"), "http/protobuf")
        with LoadedService("limited", tmp_path / "service", environment) as service:
            incident_id = service.fail(requests_before=200)
            state = service.wait_until_delivered(incident_id)

            service.assert_unharmed()
    assert (state.attempts, state.undeliverable_spans, state.resent_chunks) == (1, 0, 0)
    assert proxy.passed > state.chunks
    assert_whole_and_once(jaeger, service, incident_id)
