"""The demo as someone sees it who types `otel-flight demo`: real processes, start to end."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from otel_flight.incidents.flight_file import read_manifest
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess, free_port, is_answering
from tests.support.receivers.otlp_receiver import OtlpReceiver

DEMO = ["-m", "otel_flight.cli", "demo"]
WITHOUT_FASTAPI = """
import sys
sys.modules["fastapi"] = None
from otel_flight.cli import main
sys.exit(main(["demo"]))
"""


def test_both_requests_are_caught_and_delivered(tmp_path: Path) -> None:
    """The slow and the failing request are in the spool, on the screen, and at the backend."""
    with OtlpReceiver() as receiver:
        arguments = [
            "--seconds",
            "1",
            "--keep",
            str(tmp_path),
            "--endpoint",
            receiver.grpc_endpoint,
        ]
        with ServiceProcess([*DEMO, *arguments]) as process:
            assert process.wait(50) == 0, process.output()
            output = process.output()
        names = {item.span.name for item in receiver.spans()}

    entries = Spool(tmp_path / "spool", 1 << 30, 10).entries()
    titles = [read_manifest(entry.path).title for entry in entries]
    assert titles == [
        "slow local root GET /report/{day}",
        "error span POST /orders (in charge card)",
    ]
    assert [entry.state.delivered for entry in entries] == [True, True]
    assert {"GET /report/{day}", "rebuild search index", "GET /items"} <= names
    text = " ".join(output.split())
    assert re.search(r"\[1\] `GET /report/\{day\}` waited .* for the lock `stock_lock`", text)
    assert "held it, in another request, `rebuild search index`" in text
    assert "[2] `wait for stock lock` took 2." in text
    assert re.search(r"^delivery  delivered to http://127.0.0.1:\d+$", output, re.MULTILINE)
    assert f"otel-flight show {entries[1].incident_id}" in output
    assert not (tmp_path / "ring").exists()


def test_ctrl_c_ends_the_service_too(tmp_path: Path) -> None:
    """Whoever has seen enough leaves nothing running."""
    with ServiceProcess([*DEMO, "--seconds", "60", "--keep", str(tmp_path)]) as process:
        process.wait_for_output("instrumented: http://")
        url = re.findall(r"http://\S+", process.output())[0]
        assert is_answering(f"{url}/health")

        process.send_signal(signal.SIGINT)

        assert process.wait() == 130
        assert process.output().endswith("otel-flight: interrupted\n")
    assert not is_answering(f"{url}/health")


def test_a_service_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    """The line has the service's last words, and where the others are."""
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('no port left')")
    environment = {"PYTHONPATH": str(tmp_path)}

    with ServiceProcess([*DEMO, "--keep", str(tmp_path)], environment=environment) as process:
        assert process.wait() == 1
        output = process.output()

    last = output.splitlines()[-1]
    assert last.startswith("otel-flight: the service did not start: ")
    assert last.endswith(f"no port left (see {tmp_path}/service.log)")


def test_a_backend_that_is_down_is_an_exit_code(tmp_path: Path) -> None:
    """The incidents are shown nonetheless; that they were not delivered is said."""
    arguments = ["--seconds", "0", "--keep", str(tmp_path)]
    endpoint = ["--endpoint", f"http://127.0.0.1:{free_port()}"]

    with ServiceProcess([*DEMO, *arguments, *endpoint]) as process:
        exit_code = process.wait(55)
        output = process.output()

    assert exit_code == 5, output
    assert "delivery  not delivered to http://127.0.0.1:" in output


def test_a_missing_extra_is_named() -> None:
    """Without the packages of the extra there is one line saying how to get them."""
    program = [sys.executable, "-c", WITHOUT_FASTAPI]

    result = subprocess.run(program, capture_output=True, text=True, check=False)

    assert result.returncode == 2
    assert result.stderr == (
        "otel-flight: packages needed for the demo are not installed: "
        "run `pip install 'otel-flight[demo]'`\n"
    )
