"""Processes of one service fail together: that is one incident of their host."""

from __future__ import annotations

import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.signals import SPANS
from otel_flight.delivery.sender import chunks_to_send
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from tests.support.incidents.command_line import run
from tests.support.processes.service_process import ServiceProcess
from tests.support.receivers.otlp_receiver import OtlpReceiver

FAIL = """
def fail(tracer, name):
    try:
        with tracer.start_as_current_span(name):
            raise KeyError(name)
    except KeyError:
        pass
"""
PROGRAM = (
    FAIL
    + """
import sys, time
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

resource = Resource({"service.name": sys.argv[1]})
provider = TracerProvider(resource=resource, shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider)
recorder.start()  # else recording begins beside what follows
tracer = provider.get_tracer("program", "1.0")
for _ in range(20):
    with tracer.start_as_current_span("GET /ok"):
        pass
time.sleep(0.3)
print("ready", flush=True)
open_spans = {}
while (said := sys.stdin.readline().split()):
    what, name = said
    if what == "open":
        open_spans[name] = tracer.start_span(name)
    elif what == "end":
        open_spans.pop(name).end()
    else:
        fail(tracer, name)
    print(what, name, flush=True)
recorder.stop()
print(recorder.statistics().errors, flush=True)
"""
)
SCRIPT = (
    FAIL
    + """
import sys
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

resource = Resource({"service.name": sys.argv[1]})
provider = TracerProvider(resource=resource)
otel_flight.install(tracer_provider=provider)
fail(provider.get_tracer("program", "1.0"), "/broken")
"""
)
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


def tell(workers: list[ServiceProcess], *words: str) -> None:
    """Let workers do something, all at once."""
    for each in workers:
        each.wait_for_output("ready", 30)
    for each in workers:
        each.say(" ".join(words))
    for each in workers:
        each.wait_for_output(" ".join(words), 30)


def end(workers: list[ServiceProcess]) -> None:
    """Let workers end, without an error of ours."""
    for each in workers:
        each.say("")
    for each in workers:
        assert each.wait() == 0, each.output()
        assert each.output().rstrip().endswith("()"), each.output()


def test_a_script_that_fails_and_ends_at_once_decides_with_the_others(
    tmp_path: Path, own_environment: Path
) -> None:
    """It ends before it has looked for them: what had just failed elsewhere is no news."""
    with worker() as other:
        tell([other], "fail", "/broken")
        incidents(tmp_path, 1)
        environment = {"OTEL_FLIGHT_EXPORT": "off", "OTEL_FLIGHT_TAIL": "1s"}
        with ServiceProcess(["-c", SCRIPT, "shop"], environment=environment) as script:
            assert script.wait() == 0, script.output()
        end([other])

    [incident] = incidents(tmp_path, 1)
    assert incident.manifest.process["pid"] == other.pid


def test_workers_that_fail_together_make_one_incident(
    tmp_path: Path, own_environment: Path
) -> None:
    """With a cause of each, and its process; nothing they share is left behind."""
    with ExitStack() as stack:
        workers = [stack.enter_context(worker()) for _ in range(WORKERS)]
        tell(workers, "fail", "/broken")
        incidents(tmp_path, 1)
        end(workers)

    (incident,) = incidents(tmp_path, 1)
    manifest = incident.manifest
    causes = manifest.causes
    assert {cause.subject for cause in causes} == {"/broken"}
    pids = {cause.attributes.get("process.pid", manifest.process["pid"]) for cause in causes}
    assert pids == {each.pid for each in workers}
    windows = [incident, *incident.others]
    assert {window.manifest.process["pid"] for window in windows} == pids
    for window in windows:
        assert window.manifest.incident_id == manifest.incident_id
        spans = list(window.window.spans())
        assert [span.name for span in spans] == ["GET /ok"] * 20 + ["/broken"]
        assert window.manifest.spans == len(spans)
        pid = window.manifest.process["pid"]
        shown = run("show", str(incident.path), "--process", str(pid)).output
        assert f"pid {pid}" in shown
        assert "1 span" in shown
    assert "with the windows of 7 other processes" in run("show", str(incident.path)).output
    listed = run("list", "--spool-directory", str(tmp_path / "spool")).output
    assert "error span /broken (8 processes)" in " ".join(listed.split())
    wrong = run("show", str(incident.path), "--process", "1")
    assert wrong.exit_code == 2
    assert "it has no window of process 1, but of " in wrong.output
    assert list(own_environment.iterdir()) == []


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    """Then each process makes its own."""
    with ExitStack() as stack:
        setting = {"OTEL_FLIGHT_HOST_INCIDENTS": "false"}
        workers = [stack.enter_context(worker(**setting)) for _ in range(3)]
        tell(workers, "fail", "/broken")
        end(workers)

    assert len(incidents(tmp_path, 3)) == 3


@pytest.mark.parametrize("services", [("shop", "cart"), ("unknown_service", "unknown_service")])
def test_other_services_make_their_own(tmp_path: Path, services: tuple[str, str]) -> None:
    """Also two without a name, of which nobody can say whether they are one."""
    with ExitStack() as stack:
        workers = [stack.enter_context(worker(service)) for service in services]
        tell(workers, "fail", "/broken")
        end(workers)

    assert len(incidents(tmp_path, 2)) == 2


def attributes(item: Span | Resource) -> dict[str, Any]:
    """Return the attributes of a message, those that are text or whole numbers."""
    return {each.key: each.value.string_value or each.value.int_value for each in item.attributes}


def windows(incident: Incident) -> dict[int, Incident]:
    """Return the windows of an incident by their process ids."""
    return {each.manifest.process["pid"]: each for each in [incident, *incident.others]}


def test_one_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    """A process that was stopped does nothing at all; its window is there nevertheless."""
    with ExitStack() as stack:
        workers = [stack.enter_context(worker()) for _ in range(3)]
        tell(workers, "open", "/hangs")
        time.sleep(0.3)
        workers[0].send_signal(signal.SIGSTOP)
        tell(workers[1:], "fail", "/broken")
        began = time.monotonic()
        (incident,) = incidents(tmp_path, 1)
        took = time.monotonic() - began
        workers[0].send_signal(signal.SIGCONT)

        assert took < 10
        hung = windows(incident)[workers[0].pid]
        assert [span.name for span in hung.window.unfinished()] == ["/hangs"]
        end(workers)
        assert len(incidents(tmp_path, 1)) == 1


def test_when_the_first_one_is_killed_another_one_finishes_the_incident(tmp_path: Path) -> None:
    """Once, under its id, with the windows and the causes of all."""
    with ExitStack() as stack:
        workers = [stack.enter_context(worker(OTEL_FLIGHT_TAIL="3s")) for _ in range(4)]
        tell(workers[:1], "fail", "/broken")
        time.sleep(0.4)
        tell(workers[1:], "fail", "/broken")
        time.sleep(0.4)
        workers[0].send_signal(signal.SIGKILL)
        incidents(tmp_path, 1)
        time.sleep(2.5)
        (incident,) = incidents(tmp_path, 1)

        assert {*windows(incident)} == {each.pid for each in workers}
        assert incident.manifest.process["pid"] == workers[0].pid
        assert len(incident.manifest.causes) == 5  # its death, and what failed in each
        end(workers[1:])


def test_what_was_killed_together_is_one_incident(tmp_path: Path) -> None:
    """The next process finds all rings, of which the first one it looks at stands for all."""
    with ExitStack() as stack:
        workers = [stack.enter_context(worker()) for _ in range(4)]
        tell(workers, "open", "/report")
        time.sleep(0.4)
        for each in workers:
            each.send_signal(signal.SIGKILL)
            each.wait()
        successor = stack.enter_context(worker())
        (incident,) = incidents(tmp_path, 1)
        tell([successor], "open", "/later")
        end([successor])

    (incident,) = incidents(tmp_path, 1)
    assert incident.manifest.title == "process died /report"
    found = windows(incident)
    assert {*found} == {each.pid for each in workers}
    for part in found.values():
        assert [span.name for span in part.window.unfinished()] == ["/report"]


def test_each_span_is_sent_once(tmp_path: Path) -> None:
    """Also when its process has its own incident later, and when it was open in the one before."""
    with ExitStack() as stack:
        first, second = workers = [stack.enter_context(worker()) for _ in range(2)]
        tell(workers, "open", "/long")
        time.sleep(0.3)
        tell([first], "fail", "/one")
        incidents(tmp_path, 1)
        tell(workers, "end", "/long")
        tell([second], "fail", "/two")
        incidents(tmp_path, 2)
        end(workers)

    sent = [
        span
        for incident in incidents(tmp_path, 2)
        for chunk in chunks_to_send(SPANS, incident, Pacer(1.0), Guard(), skips_sampled=False)
        for span in chunk
        if span.attributes.get("flight_recorder.kind") in {None, "finished"}
    ]
    names = Counter(span.name for span in sent)
    assert names == {"GET /ok": 40, "/one": 1, "/two": 1, "/long": 4}
    ids = [span.context.span_id for span in sent]
    assert len(ids) == len(set(ids))
    long = [span for span in sent if span.name == "/long"]
    unfinished = [each for each in long if each.attributes.get("flight_recorder.unfinished")]
    finished = [each for each in long if each not in unfinished]
    assert {each.parent.span_id for each in finished if each.parent} == {
        each.context.span_id for each in unfinished
    }
    pids = {span.resource.attributes["process.pid"] for span in sent}
    assert pids == {each.pid for each in workers}


def test_it_is_delivered_once_with_the_spans_of_all(tmp_path: Path) -> None:
    """One trace of its own, and of each span whose process it is from."""
    with OtlpReceiver() as receiver, ExitStack() as stack:
        sending = {
            "OTEL_FLIGHT_EXPORT": "otlp",
            "OTEL_FLIGHT_ENDPOINT": receiver.grpc_endpoint,
            "OTEL_FLIGHT_PROTOCOL": "grpc",
        }
        workers = [stack.enter_context(worker(**sending)) for _ in range(4)]
        tell(workers, "fail", "/broken")
        incidents(tmp_path, 1)
        end(workers)
        received = list(receiver.spans())

    sent = [(item.span, attributes(item.span), attributes(item.resource)) for item in received]
    kinds = Counter(own.get("flight_recorder.kind") for _, own, _ in sent)
    assert kinds["incident"] == 1
    application = [each for each in sent if "flight_recorder.kind" not in each[1]]
    assert Counter(span.name for span, _, _ in application) == {"GET /ok": 80, "/broken": 4}
    by_process = Counter(resource["process.pid"] for _, _, resource in application)
    assert by_process == dict.fromkeys((each.pid for each in workers), 21)
    assert len({span.span_id for span, _, _ in sent}) == len(sent)
    assert len({own["flight_recorder.incident.id"] for _, own, _ in application}) == 1
