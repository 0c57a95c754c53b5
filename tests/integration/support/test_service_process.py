"""A service process is observed and ended as an operator would, and leaves nothing behind."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.support.processes.service_process import ServiceFailedError, ServiceProcess, free_port


def test_output_and_exit_code_are_collected() -> None:
    """Both streams end up in the output, and the exit code is the program's."""
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"

    with ServiceProcess(["-c", program]) as process:
        assert process.wait() == 3
        assert process.output().splitlines() == ["out", "err"]


def test_readiness_is_the_address_answering() -> None:
    """Waiting ends once the health URL answers, and the process still runs."""
    port = free_port()
    command = ["-m", "http.server", str(port), "--bind", "127.0.0.1"]

    with ServiceProcess(command, ready_address=f"http://127.0.0.1:{port}/") as process:
        process.wait_until_ready()

        assert process.exit_code is None


def test_a_death_before_readiness_is_told_at_once() -> None:
    """A process that dies instead of getting ready is an error quoting its last words."""
    with (
        ServiceProcess(
            ["-c", "raise SystemExit('no configuration')"],
            ready_address=f"tcp://127.0.0.1:{free_port()}",
        ) as process,
        pytest.raises(ServiceFailedError, match=r"(?s)exited 1.*no configuration"),
    ):
        process.wait_until_ready()


def test_a_signal_reaches_the_program() -> None:
    """A sent signal is handled by the program's own handler."""
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "print('armed')\n"
        "signal.pause()\n"
    )

    with ServiceProcess(["-c", program]) as process:
        process.wait_for_output("armed")
        process.send_signal(signal.SIGTERM)

        assert process.wait() == 9


def test_the_end_of_the_block_kills_the_children_too(tmp_path: Path) -> None:
    """A program that never ends is killed together with the workers it started."""
    worker = "import socket; s = socket.create_connection(('127.0.0.1', {port})); s.recv(1)"
    program = (
        "import subprocess, sys; print('up'); subprocess.call([sys.executable, '-c', {worker!r}])"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        source = program.format(worker=worker.format(port=listener.getsockname()[1]))

        with ServiceProcess(["-c", source], output_path=tmp_path / "output.log") as process:
            to_worker, _ = listener.accept()
        with to_worker:
            to_worker.settimeout(10)

            assert to_worker.recv(1) == b""  # closed by the worker's death
    assert process.exit_code == -signal.SIGKILL
    assert process.output() == "up\n"


def test_the_environment_is_the_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the OTEL_* variables only the given ones and those that a test has anyway are passed."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from the developer's shell")
    program = "import os; print(*sorted(k for k in os.environ if k.startswith('OTEL_')))"

    with ServiceProcess(["-c", program], environment={"OTEL_TRACES_EXPORTER": "none"}) as process:
        process.wait()

        assert process.output().split() == [
            "OTEL_FLIGHT_INCIDENT_LOG",
            "OTEL_FLIGHT_RING_DIRECTORY",
            "OTEL_FLIGHT_SPOOL_DIRECTORY",
            "OTEL_TRACES_EXPORTER",
        ]


def test_an_instrumented_program_has_the_sdk() -> None:
    """Under opentelemetry-instrument the global tracer provider is the SDK's."""
    program = (
        "from opentelemetry import trace\nprint(type(trace.get_tracer_provider()).__module__)\n"
    )
    environment = {
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }

    with ServiceProcess(["-c", program], instrumented=True, environment=environment) as process:
        exit_code = process.wait()

        assert exit_code == 0
        assert process.output().strip() == "opentelemetry.sdk.trace"
