"""Run a program with a fault as a real service until its incident is there, and without it.

Nothing but environment variables tells it of the recorder, as in production. Its healthy twin is
the same program with `FAULT=off` under the same load: in the end an incident is asked for from
outside, which shows that it was recording, and must be the only one.
"""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import pytest

from otel_flight.incidents.flight_file import read_incident, read_manifest
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Explanation, Finding
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.command_line import run
from tests.support.processes.service_process import ServiceProcess, free_port

PROGRAMS: Final = Path(__file__).parent / "programs"
_DEADLINE_SECONDS: Final = 30.0
"""Nothing takes longer, even a service that has a fifth of a CPU and others beside it."""
_LAST_ANSWERS_SECONDS: Final = 0.5
"""For answers that come after the incident; a request that hangs has none."""
_ATTEMPTS: Final = 3
"""It is tried so often in all: beside many other programs, a request of the warm-up may be slow,
and what happens then joins its incident."""
_ASKED_FOR: Final = "asked for by the test"
_MOST_LOAD: Final = 2.0
"""Where so many programs are ready to run for each CPU, a healthy request may be slow indeed."""
_USUAL: Final = ("/ok",) * 20

Server = Literal["uvicorn", "gunicorn", "script"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A program, and how its fault is brought about.

    Attributes:
        program: a module in `programs/`. A server's has an `app`; a script works by itself, says
            `ready` first and ends with `switch.stay()`.
        server: what runs it: uvicorn, gunicorn (one worker with threads), or the interpreter.
        arguments: more of them for the server or the script.
        warm_up: paths asked for before, one after the other: what is usual.
        warm_up_seconds: how long that is spread over; at least as long as the answers take.
        requests: paths asked for then, each by a connection of its own.
        apart_seconds: how long after the one before each of these is sent.
        environment: settings for this program; the rest is `ENVIRONMENT`.
        trigger: the trigger whose incident is waited for; empty: whichever comes first.
    """

    program: str
    server: Server = "uvicorn"
    arguments: Sequence[str] = ()
    warm_up: Sequence[str] = _USUAL
    warm_up_seconds: float = 0.0
    requests: Sequence[str] = ()
    apart_seconds: float = 0.02
    environment: Mapping[str, str] = field(default_factory=dict)
    trigger: str = ""


ENVIRONMENT: Final = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_FLIGHT_EXPORT": "off",
    "OTEL_FLIGHT_TAIL": "300ms",
    "OTEL_FLIGHT_SLOW_ROOT": "250ms",
    "OTEL_FLIGHT_SLOW_OPEN_ROOT": "false",
}
"""A request is slow after a quarter of a second, and not before it has ended."""


@dataclass(frozen=True)
class FaultyRun:
    """What a program left behind that had its fault.

    Attributes:
        incident: as it was written to the spool.
        shown: what `otel-flight show` prints of it.
        statuses: the answers to the requests, 0 where none came.
        output: what the program wrote.
    """

    incident: Incident
    shown: str
    statuses: Sequence[int]
    output: str

    @property
    def findings(self) -> Sequence[Finding]:
        """The best explanation first."""
        return self.incident.manifest.findings

    @property
    def explanations(self) -> Sequence[Explanation]:
        """The pauses and inferred spans of the trigger's trace."""
        return self.incident.manifest.explanations


@dataclass(frozen=True)
class HealthyRun:
    """What a program left behind that did not have its fault.

    Attributes:
        firings: what made an incident, or joined one, besides the one asked for: nothing.
        incident: the one asked for.
        statuses: the answers to the requests, 0 where none came.
        output: what the program wrote.
    """

    firings: Sequence[str]
    incident: Incident
    statuses: Sequence[int]
    output: str

    @property
    def findings(self) -> Sequence[Finding]:
        """What the rules say of an incident without a fault: nothing."""
        return self.incident.manifest.findings


def run_with_fault(fault: Fault, directory: Path) -> FaultyRun:
    """Run a program, cause its fault, and return the incident.

    Args:
        fault: what to run.
        directory: where its files go, a test's `tmp_path`.

    Raises:
        ServiceFailedError: there was no incident in time; it says what the program wrote.
    """
    for number in range(_ATTEMPTS):
        with _running(fault, directory / f"faulty-{number}", "on") as service:
            sent_ns = time.time_ns()
            answers = service.send(fault)
            what = f"no incident of {fault.trigger or 'any trigger'}"
            entry = service.wait_for_incident(fault.trigger, what)
            statuses = _statuses(answers, _LAST_ANSWERS_SECONDS)
            output = service.process.output()
        if fault.server == "script" or read_manifest(entry.path).opened_ns >= sent_ns:
            break
    shown = run("show", str(entry.path))
    assert shown.exit_code == 0, shown.output
    return FaultyRun(read_incident(entry.path), shown.output, statuses, output)


def run_healthy(fault: Fault, directory: Path) -> HealthyRun:
    """Run the same program without its fault, under the same load, and return what it did.

    Args:
        fault: what to run.
        directory: where its files go, a test's `tmp_path`.

    Raises:
        ServiceFailedError: it died, or did not answer.
        Skipped: something fired, and the machine is too busy to say why.
    """
    with _running(fault, directory / "healthy", "off") as service:
        statuses = _statuses(service.send(fault), _DEADLINE_SECONDS)
        if fault.server == "script":
            service.process.wait_for_output("done", _DEADLINE_SECONDS)
        service.ask_for_incident(fault.program)
        # Gunicorn's master answers as well; a worker has the requests of the warm-up.
        fewest_spans = 0 if fault.server == "script" else 1
        what = "the incident asked for did not come"
        entry = service.wait_for_incident("external", what, fewest_spans)
        output = service.process.output()
    manifests = [read_manifest(each.path) for each in service.spool.entries()]
    causes = [cause for manifest in manifests for cause in manifest.causes]
    firings = [cause.title for cause in causes if cause.reason != _ASKED_FOR]
    if firings and os.getloadavg()[0] > _MOST_LOAD * (os.cpu_count() or 1):
        pytest.skip(f"other programs on this machine make any request slow: {firings}")
    return HealthyRun(
        firings,
        read_incident(entry.path),
        statuses,
        output,
    )


@dataclass(frozen=True)
class _Service:
    process: ServiceProcess
    port: int
    directory: Path
    sender: ThreadPoolExecutor

    @property
    def spool(self) -> Spool:
        return Spool(self.directory / "spool", 1 << 30, 100)

    def send(self, fault: Fault) -> list[Future[int]]:
        answers: list[Future[int]] = []
        for path in fault.requests:
            if answers:
                threading.Event().wait(fault.apart_seconds)
            answers.append(self.sender.submit(_status_of, self.port, path))
        return answers

    def ask_for_incident(self, name: str) -> None:
        rings = str(self.directory / "ring")
        command = ["trigger", "--service", name, "--reason", _ASKED_FOR, "--ring-directory", rings]
        what = "it cannot be asked for an incident"
        self.process.wait_for(lambda: run(*command).exit_code == 0, what, _DEADLINE_SECONDS)

    def wait_for_incident(self, trigger: str, what: str, fewest_spans: int = 0) -> SpoolEntry:
        found: list[SpoolEntry] = []

        def is_there() -> bool:
            found.extend(
                entry for entry in self.spool.entries() if _is_of(entry, trigger, fewest_spans)
            )
            return bool(found)

        self.process.wait_for(is_there, what, _DEADLINE_SECONDS)
        return found[0]


@contextmanager
def _running(fault: Fault, directory: Path, switch: str) -> Iterator[_Service]:
    port = free_port()
    environment = {
        **ENVIRONMENT,
        "OTEL_SERVICE_NAME": fault.program,
        "OTEL_FLIGHT_SPOOL_DIRECTORY": str(directory / "spool"),
        "OTEL_FLIGHT_RING_DIRECTORY": str(directory / "ring"),
        "FAULT": switch,
        **fault.environment,
    }
    # The executor is left last: the end of the process ends requests that hang.
    with (
        ThreadPoolExecutor(max(1, len(fault.requests))) as sender,
        ServiceProcess(
            _command(fault, port),
            instrumented=True,
            environment=environment,
            working_directory=PROGRAMS,
            ready_address=f"tcp://127.0.0.1:{port}",
        ) as process,
    ):
        if fault.server == "script":
            process.wait_for_output("ready", _DEADLINE_SECONDS)
        else:
            process.wait_until_ready(_DEADLINE_SECONDS)
            _ask(port, fault.warm_up[:1])
            process.wait_for(
                lambda: bool(list((directory / "ring").glob("*.stacks"))),  # last of all
                "it does not record",
                _DEADLINE_SECONDS,
            )
            _ask(port, fault.warm_up[1:], fault.warm_up_seconds)
        yield _Service(process, port, directory, sender)


def _command(fault: Fault, port: int) -> list[str]:
    if fault.server == "script":
        return [f"{fault.program}.py", *fault.arguments]
    app = f"{fault.program}:app"
    if fault.server == "uvicorn":
        return ["-m", "uvicorn", app, "--port", str(port), "--no-access-log", *fault.arguments]
    bind = f"127.0.0.1:{port}"
    return ["-m", "gunicorn", "-w", "1", "--threads", "8", "-b", bind, *fault.arguments, app]


def _ask(port: int, paths: Sequence[str], seconds: float = 0.0) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_DEADLINE_SECONDS)
    try:
        for path in paths:
            threading.Event().wait(seconds / len(paths))
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert response.status == 200, f"{path}: {response.status}"
    finally:
        connection.close()


def _status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_DEADLINE_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()  # who goes away before ends what makes it
        return answer.status
    except (OSError, http.client.HTTPException):  # the service has died, or was ended
        return 0
    finally:
        connection.close()


def _statuses(answers: Sequence[Future[int]], timeout_seconds: float) -> list[int]:
    answered, _ = wait(answers, timeout_seconds)
    return [answer.result() if answer in answered else 0 for answer in answers]


def _is_of(entry: SpoolEntry, trigger: str, fewest_spans: int) -> bool:
    manifest = read_manifest(entry.path)
    is_of = not trigger or any(cause.trigger == trigger for cause in manifest.causes)
    return is_of and manifest.spans >= fewest_spans
