"""Processes of one service fail together: that is one incident of their host."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from tests.support.service_process import ServiceProcess

PROGRAM = """
import sys, time
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

resource = Resource({"service.name": sys.argv[1]})
provider = TracerProvider(resource=resource, shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider)
tracer = provider.get_tracer("program", "1.0")
for _ in range(20):
    with tracer.start_as_current_span("GET /ok"):
        pass
time.sleep(0.3)
print("ready", flush=True)
while (said := sys.stdin.readline().strip()):
    try:
        with tracer.start_as_current_span(said):
            raise KeyError("order")
    except KeyError:
        pass
    print("failed", flush=True)
recorder.stop()
print(recorder.statistics().errors, flush=True)
"""
WORKERS = 8


def worker(service: str = "shop", **environment: str) -> ServiceProcess:
    """Return a process of a service, which fails when it is told to."""
    return ServiceProcess(
        ["-c", PROGRAM, service],
        is_spoken_to=True,
        environment={
            "OTEL_FLIGHT_EXPORT": "off",
            "OTEL_FLIGHT_TAIL": "1s",
            "OTEL_FLIGHT_WINDOW_BYTES": "1MiB",
            **environment,
        },
    )


def incidents(tmp_path: Path, count: int) -> list[Incident]:
    """Return what is in the spool, when there are so many, and a moment later still."""
    until = time.monotonic() + 30
    while len(list((tmp_path / "spool").glob("*.flight"))) < count:
        assert time.monotonic() < until
        time.sleep(0.05)
    return [read_incident(path) for path in sorted((tmp_path / "spool").glob("*.flight"))]


def fail_together(workers: list[ServiceProcess], request: str = "GET /broken") -> None:
    """Let all workers fail at once."""
    for each in workers:
        each.wait_for_output("ready", 30)
    for each in workers:
        each.say(request)
    for each in workers:
        each.wait_for_output("failed", 30)


def end(workers: list[ServiceProcess]) -> None:
    """Let workers end, without an error of ours."""
    for each in workers:
        each.say("")
    for each in workers:
        assert each.wait() == 0, each.output()
        assert each.output().rstrip().endswith("()"), each.output()


def test_workers_that_fail_together_make_one_incident(
    tmp_path: Path, own_environment: Path
) -> None:
    """With a cause of each, and its process; nothing they share is left behind."""
    with ExitStack() as stack:
        workers = [stack.enter_context(worker()) for _ in range(WORKERS)]
        fail_together(workers)
        incidents(tmp_path, 1)
        end(workers)

    (incident,) = incidents(tmp_path, 1)
    manifest = incident.manifest
    causes = manifest.causes
    assert {cause.subject for cause in causes} == {"GET /broken"}
    pids = {cause.attributes.get("process.pid", manifest.process["pid"]) for cause in causes}
    assert pids == {each.pid for each in workers}
    assert list(own_environment.iterdir()) == []


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    """Then each process makes its own."""
    with ExitStack() as stack:
        setting = {"OTEL_FLIGHT_HOST_INCIDENTS": "false"}
        workers = [stack.enter_context(worker(**setting)) for _ in range(3)]
        fail_together(workers)
        end(workers)

    assert len(incidents(tmp_path, 3)) == 3


@pytest.mark.parametrize("services", [("shop", "cart"), ("unknown_service", "unknown_service")])
def test_other_services_make_their_own(tmp_path: Path, services: tuple[str, str]) -> None:
    """Also two without a name, of which nobody can say whether they are one."""
    with ExitStack() as stack:
        workers = [stack.enter_context(worker(service)) for service in services]
        fail_together(workers)
        end(workers)

    assert len(incidents(tmp_path, 2)) == 2
