"""The agent tells of processes that died, and delivers for services that have no exporter."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool
from otel_flight.ring.dead_rings import dead_rings
from tests.support.processes.service_process import ServiceProcess
from tests.support.receivers.otlp_receiver import OtlpReceiver

PROGRAM = """
import os, sys
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

how, spans = sys.argv[1], int(sys.argv[2])
provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider)
recorder.start()
tracer = provider.get_tracer("program")
for number in range(spans):
    tracer.start_span(f"GET /{number}").end()
if how == "killed":
    with tracer.start_as_current_span("GET /report"):
        os.kill(os.getpid(), 9)
recorder.trigger("too many orders")
provider.shutdown()
"""
SECONDS = 60.0


def run_service(how: str, spans: int = 20) -> None:
    """Let a service that exports nothing make an incident, or be killed."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, str(spans)],
        env={**os.environ, "OTEL_FLIGHT_EXPORT": "off"},
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if how == "killed" else 0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """What services and agents share."""
    return Spool(tmp_path / "spool", 1 << 30, 100)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver of everything."""
    with OtlpReceiver() as running:
        yield running


def agent(receiver: OtlpReceiver, *options: str) -> ServiceProcess:
    """Return an agent that delivers there."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_FLIGHT_FLUSH_CPU_SHARE": "1",
        "OTEL_FLIGHT_SHUTDOWN_TIMEOUT": "1s",
    }
    arguments = ["-m", "otel_flight.cli", "agent", *options]
    return ServiceProcess(arguments, environment=environment)


def is_delivered(spool: Spool) -> Callable[[], bool]:
    """Return what tells whether there are incidents, and all were delivered."""
    return lambda: bool(spool.entries()) and all(each.state.delivered for each in spool.entries())


def stop(process: ServiceProcess) -> None:
    """End an agent as the system does."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert "agent has stopped" in process.output()


def test_a_killed_service_is_told_of(
    own_environment: Path, receiver: OtlpReceiver, spool: Spool
) -> None:
    """Its death is an incident at the receiver, once; the ring is gone."""
    run_service("killed")
    assert len(dead_rings([own_environment])) == 1

    with agent(receiver) as process:
        process.wait_for(is_delivered(spool), "not delivered", SECONDS)
        stop(process)

    (entry,) = spool.entries()
    assert read_incident(entry.path).manifest.title.startswith("process died")
    assert "GET /report" in {each.span.name for each in receiver.spans()}
    assert list(own_environment.glob("*.ring")) == []
    assert list(own_environment.glob("*.claimed")) == []


def test_a_service_without_an_exporter_is_delivered_for(
    receiver: OtlpReceiver, spool: Spool
) -> None:
    """Also what it makes while the agent runs, each span once."""
    with agent(receiver) as process:
        process.wait_for_output("looks for rings", SECONDS)
        run_service("incident")
        process.wait_for(is_delivered(spool), "not delivered", SECONDS)
        stop(process)

    times = Counter(each.span.name for each in receiver.spans())
    assert {times[f"GET /{number}"] for number in range(20)} == {1}


def test_two_agents_deliver_once(receiver: OtlpReceiver, spool: Spool) -> None:
    """Whatever both find at the same moment: deaths and incidents."""
    for how in ("incident", "killed") * 2:
        run_service(how, 1000)

    with agent(receiver) as first, agent(receiver) as second:
        for each in (first, second):
            each.wait_for_output("looks for rings", SECONDS)
        first.wait_for(lambda: len(spool.entries()) >= 3, "not recovered", SECONDS)
        first.wait_for(is_delivered(spool), "not delivered", SECONDS)
        stop(first)
        stop(second)

    assert max(Counter(each.span.span_id for each in receiver.spans()).values()) == 1
    assert max(Counter(each.incident_id for each in spool.entries()).values()) == 1


def test_a_killed_agent_is_followed_by_the_next(receiver: OtlpReceiver, spool: Spool) -> None:
    """At most the request that it died over arrives twice."""
    run_service("incident", 3000)
    with agent(receiver) as process:
        receiver.wait_for(lambda: len(receiver.requests) >= 2, SECONDS)
        process.send_signal(signal.SIGKILL)
        process.wait()

    with agent(receiver) as process:
        process.wait_for(is_delivered(spool), "not delivered", SECONDS)
        stop(process)

    times = Counter(each.span.span_id for each in receiver.spans())
    names = {each.span.name for each in receiver.spans()}
    repeated = {each for each, often in times.items() if often > 1}
    assert {f"GET /{number}" for number in range(3000)} <= names
    assert max(times.values()) <= 2
    (entry,) = spool.entries()
    assert bool(repeated) == bool(entry.state.resent_chunks)


def test_it_stops_while_a_receiver_hangs(receiver: OtlpReceiver, spool: Spool) -> None:
    """In time, and what was not delivered stays for the next one."""
    run_service("incident")
    receiver.hold()

    with agent(receiver, "--listen", "127.0.0.1:0") as process:
        process.wait_for_output("answers on 127.0.0.1", SECONDS)
        port = re.search(r"answers on 127\.0\.0\.1 port (\d+)", process.output())
        assert port is not None
        url = f"http://127.0.0.1:{port[1]}"
        process.wait_for(
            lambda: _health(url)["pending_incidents"] == 1, "does not know of it", SECONDS
        )
        assert _health(url)["status"] == "ok"
        stop(process)

    assert not is_delivered(spool)()


def test_an_endpoint_is_asked_for(own_environment: Path) -> None:
    """Without one, nobody would be told."""
    arguments = [sys.executable, "-m", "otel_flight.cli", "agent"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=SECONDS)

    assert done.returncode == 2
    assert "no endpoint is configured" in done.stderr


def _health(url: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
        found: dict[str, object] = json.load(answer)
        return found
