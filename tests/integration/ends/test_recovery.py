"""A process dies in the middle of its work; the next one of its service tells what it was."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.ring.dead_rings import CLAIMED_SUFFIX, claimed_ring, dead_rings
from tests.support.incidents.command_line import run
from tests.support.processes.service_process import ServiceProcess

PROGRAM = """
import os, sys, time
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

how, service = sys.argv[1:3]
provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider, slow_open_root=False)
recorder.start()
tracer = provider.get_tracer("program", "1.0")

def serve(name, seconds=0.001):
    with tracer.start_as_current_span(name, attributes={"tenant": "acme"}):
        time.sleep(seconds)

def fail():
    try:
        with tracer.start_as_current_span("GET /broken"):
            raise KeyError("order")
    except KeyError:
        pass

for _ in range(40):
    serve("GET /ok")
if how == "live":
    print("ready", flush=True)
    while sys.stdin.readline():
        serve("GET /ok")
        print(dict(recorder.statistics().firings), recorder.statistics().errors, flush=True)
elif how == "idle":
    time.sleep(0.4)
elif how == "incident":
    fail()
    time.sleep(1)
elif how == "exec":
    time.sleep(0.3)
    other = "import time; print('!', flush=True); time.sleep(60)"
    os.execv(sys.executable, [sys.executable, "-c", other])
else:
    span = tracer.start_span("GET /report", attributes={"tenant": "acme"})
    from opentelemetry import trace
    with trace.use_span(span), tracer.start_as_current_span("query"):
        time.sleep(0.7)
        os.kill(os.getpid(), 9)
os.kill(os.getpid(), 9)
"""


def die(how: str, service: str = "shop") -> None:
    """Let a process die."""
    environment = {**os.environ, "OTEL_FLIGHT_TAIL": "30s", "OTEL_FLIGHT_EXPORT": "off"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, service], env=environment, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL


class Living:
    """Another process of a service."""

    def __init__(self, process: ServiceProcess) -> None:
        self._process = process
        process.wait_for_output("ready", 30)

    def wait_until(self, text: str) -> None:
        """Let it serve a request now and then until it says something of its firings."""
        until = time.monotonic() + 30
        while text not in self._process.output():
            assert time.monotonic() < until, self._process.output()
            self._process.say("go\n")
            time.sleep(0.05)
        assert self._process.output().rstrip().endswith("()"), self._process.output()


def living(service: str = "shop", **environment: str) -> ServiceProcess:
    """Return a process that lives."""
    return ServiceProcess(
        ["-c", PROGRAM, "live", service],
        is_spoken_to=True,
        environment={"OTEL_FLIGHT_EXPORT": "off", **environment},
    )


def incidents(tmp_path: Path) -> list[Incident]:
    """Return what is in the spool."""
    return [read_incident(path) for path in sorted((tmp_path / "spool").glob("*.flight"))]


@pytest.mark.parametrize("compiled", ["true", "false"])
def test_the_next_process_tells_of_the_death(
    tmp_path: Path, own_environment: Path, compiled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the window, the open spans and their attributes; the ring is gone."""
    monkeypatch.setenv("OTEL_FLIGHT_COMPILED", compiled)
    die("open")
    (ring,) = dead_rings([own_environment])

    with living() as process:
        Living(process).wait_until("('process_died', 'opened'): 1")
        (incident,) = incidents(tmp_path)

    assert not ring.exists()
    manifest = incident.manifest
    assert manifest.title == "process died GET /report"
    assert (manifest.service_name, manifest.spans, manifest.open_spans) == ("shop", 40, 2)
    spans = {span.name: span for span in incident.window.unfinished()}
    assert spans["GET /report"].record.attributes == {"tenant": "acme"}
    assert spans["query"].record.parent_span_id == spans["GET /report"].record.span_id
    assert spans["query"].scope is not None
    assert spans["query"].resource is not None
    assert manifest.causes[0].trace_id == f"{spans['query'].record.trace_id:032x}"
    first = manifest.findings[0]
    assert first.rule == "process_died"
    assert "`GET /report` for" in first.summary


def test_an_incident_that_was_open_is_finished_under_its_id(tmp_path: Path) -> None:
    """With its causes; its process's death is the first of them, and no other incident."""
    die("incident")

    with living() as process:
        living_process = Living(process)
        until = time.monotonic() + 30
        while not incidents(tmp_path):
            assert time.monotonic() < until
            living_process.wait_until("()")
            time.sleep(0.05)
        (incident,) = incidents(tmp_path)

    titles = [cause.title for cause in incident.manifest.causes]
    assert titles == ["process died", "error span GET /broken"]
    assert "GET /broken" in {span.name for span in incident.window.spans()}
    assert incident.manifest.findings


def test_another_service_has_no_business_with_it(tmp_path: Path, own_environment: Path) -> None:
    """Its ring stays, for its own."""
    die("open", "bank")

    with living() as process:
        shop = Living(process)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            shop.wait_until("()")
            time.sleep(0.2)
        assert len(dead_rings([own_environment])) == 1

    assert incidents(tmp_path) == []


def test_nobody_does_where_it_is_off(tmp_path: Path, own_environment: Path) -> None:
    """`OTEL_FLIGHT_RECOVER=off`."""
    die("open")

    with living(OTEL_FLIGHT_RECOVER="off") as process:
        shop = Living(process)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            shop.wait_until("()")
            time.sleep(0.2)
        assert len(dead_rings([own_environment])) == 1

    assert incidents(tmp_path) == []


def test_of_many_processes_one_does(tmp_path: Path, own_environment: Path) -> None:
    """Whoever comes first; the others find nothing."""
    with ExitStack() as stack:
        processes = [stack.enter_context(living()) for _ in range(4)]
        for process in processes:
            Living(process)
        die("open")
        until = time.monotonic() + 30
        while not incidents(tmp_path) or dead_rings([own_environment]):
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.3)
        (incident,) = incidents(tmp_path)

    assert incident.manifest.title == "process died GET /report"


def test_the_command_does_it_without_a_process(tmp_path: Path, own_environment: Path) -> None:
    """And `list` says that there is something to do."""
    die("open")
    assert "1 process died, and nobody has recovered" in run("list").output

    (recovered,) = json.loads(run("recover", "--json").output)

    assert recovered["service"] == "shop"
    (file,) = recovered["incidents"]
    assert read_incident(Path(file)).manifest.title == "process died GET /report"
    assert "process died GET /report" in run("show", "last", "--html", "-").output
    assert dead_rings([own_environment]) == []
    assert "no dead process" in run("recover").output
    assert "died" not in run("list").output.split("process died")[0]
    assert (tmp_path / "spool").is_dir()


def test_whoever_dies_over_it_is_no_loss(own_environment: Path) -> None:
    """The ring can be claimed again, and makes the same incident."""
    die("open")
    (ring,) = dead_rings([own_environment])
    with contextlib.suppress(RuntimeError), claimed_ring(ring) as claimed:
        assert claimed is not None
        assert dead_rings([own_environment]) == []  # it is held
        raise RuntimeError
    (again,) = dead_rings([own_environment])
    assert again == ring.with_suffix(CLAIMED_SUFFIX)

    (first,) = json.loads(run("recover", "--json").output)

    assert len(first["incidents"]) == 1
    assert dead_rings([own_environment]) == []


def test_a_process_that_became_another_program_is_not_dead(own_environment: Path) -> None:
    """Its ring is not looked at as long as that lives."""
    with ServiceProcess(
        ["-c", PROGRAM, "exec", "shop"], environment={"OTEL_FLIGHT_EXPORT": "off"}
    ) as process:
        process.wait_for_output("!", 30)
        assert len(dead_rings([own_environment])) == 1
        assert json.loads(run("recover", "--json").output) == []
    assert len(json.loads(run("recover", "--json").output)) == 1
