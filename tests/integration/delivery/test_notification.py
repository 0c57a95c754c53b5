"""A program that fails tells its log of it, and whoever else is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

provider = TracerProvider(resource=Resource({"service.name": "shop"}))
otel_flight.install(tracer_provider=provider)
try:
    with provider.get_tracer("program").start_as_current_span("GET /orders"):
        raise KeyError("order")
except KeyError:
    pass
"""


def run_program(**variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program that fails and ends at once."""
    environment = {**os.environ, "OTEL_FLIGHT_EXPORT": "off", **variables}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_log_says_it() -> None:
    """Once, also where logging is not configured."""
    done = run_program(OTEL_FLIGHT_INCIDENT_LOG="WARNING")

    (line,) = done.stderr.splitlines()
    assert line.startswith("otel-flight kept incident 20")
    assert " of shop: error span GET /orders. " in line
    assert "KeyError" in line
    assert line.rpartition(". ")[2].startswith("otel-flight show 20")


@pytest.mark.parametrize("is_compiled", ["true", "false"])
def test_a_command_is_run_at_the_very_end(tmp_path: Path, is_compiled: str) -> None:
    """Of a process that ends as it fails; the log is silent when it is told to be."""
    told = tmp_path / "told.json"

    done = run_program(OTEL_FLIGHT_NOTIFY=f"exec:tee {told}", OTEL_FLIGHT_COMPILED=is_compiled)

    assert done.stderr == ""
    message = json.loads(told.read_text(encoding="utf-8"))
    assert (message["service"], message["title"]) == ("shop", "error span GET /orders")
    assert Path(message["file"]).exists()
    assert not list(Path(message["file"]).parent.glob("*.notify.json"))


def test_a_server_that_is_not_there_holds_up_nobody(tmp_path: Path) -> None:
    """What is still to be told stays for the next process, which tells it."""
    done = run_program(OTEL_FLIGHT_NOTIFY="http://127.0.0.1:1/hook/SECRET")

    assert "could not tell http://127.0.0.1:1 of incident 20" in done.stderr
    assert "SECRET" not in done.stderr
    (waiting,) = (tmp_path / "spool").glob("*.notify.json")

    told = tmp_path / "told.json"
    run_program(OTEL_FLIGHT_NOTIFY=f"exec:tee -a {told}")
    assert not waiting.exists()
    assert len(told.read_text(encoding="utf-8").split('"text"')) == 3
