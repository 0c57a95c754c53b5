"""A process that ends past us when SIGTERM tells it to has ended, and has not died."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.ring.dead_rings import dead_rings
from tests.support.incidents.command_line import run
from tests.support.processes.service_process import ServiceProcess

PROGRAM = """
import os, signal, sys, threading, time
from opentelemetry.sdk.trace import TracerProvider

how, what, compiled = sys.argv[1:4]
if not compiled:
    sys.modules["otel_flight.running.ends._last_signal"] = None
import otel_flight

def end(number, frame):
    if how == "restores":
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    elif how == "leaves":
        os._exit(0)

def install():
    provider = TracerProvider(shutdown_on_exit=False)
    otel_flight.install(tracer_provider=provider, tail_seconds=60, export="off")
    with provider.get_tracer("program").start_as_current_span("GET /ok"):
        pass
    provider.force_flush()
    return provider

if what == "handler after":
    provider = install()
    signal.signal(signal.SIGTERM, end)
    provider.force_flush()
else:
    signal.signal(signal.SIGTERM, end)
    provider = install()
if what == "incident":
    try:
        with provider.get_tracer("program").start_as_current_span("GET /broken"):
            raise KeyError("order")
    except KeyError:
        pass
    while not otel_flight.get_recorder().statistics().firings:
        time.sleep(0.01)
if how == "exits":
    sys.exit(3)
print("ready", flush=True)
threading.Event().wait()
"""
CODES = {"restores": -signal.SIGTERM, "leaves": 0}


def titles(tmp_path: Path) -> list[list[str]]:
    """Return the causes of the incidents that are there when somebody has looked after the dead."""
    run("recover")
    incidents = [read_incident(path) for path in sorted((tmp_path / "spool").glob("*.flight"))]
    return [[cause.title for cause in each.manifest.causes] for each in incidents]


@pytest.mark.parametrize("how", ["restores", "leaves"])
@pytest.mark.parametrize("what", ["handler before", "handler after", "incident"])
@pytest.mark.parametrize("compiled", ["compiled", ""], ids=["compiled", "python"])
def test_that_it_ended_is_no_incident(
    tmp_path: Path, own_environment: Path, how: str, what: str, compiled: str
) -> None:
    """Whenever its handler was installed; an incident that was in its tail has no other cause."""
    with ServiceProcess(["-c", PROGRAM, how, what, compiled]) as process:
        process.wait_for_output("ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == CODES[how], process.output()

    assert titles(tmp_path) == ([["error span GET /broken"]] if what == "incident" else [])
    assert dead_rings([own_environment]) == []


def test_one_that_is_killed_has_died(tmp_path: Path) -> None:
    """It was not told to end, and would have noticed."""
    with ServiceProcess(["-c", PROGRAM, "restores", "handler before", "compiled"]) as process:
        process.wait_for_output("ready")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    assert titles(tmp_path) == [["process died"]]


def test_one_that_is_killed_and_ignores_other_signals_has_died(tmp_path: Path) -> None:
    """What a shell starts in the background ignores SIGINT."""
    program = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{PROGRAM}"
    with ServiceProcess(["-c", program, "restores", "handler before", "compiled"]) as process:
        process.wait_for_output("ready")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    assert titles(tmp_path) == [["process died"]]


def test_one_that_had_no_time_to_finish_has_not_died(tmp_path: Path) -> None:
    """It leaves its ring, as one does that is killed, but it has ended."""
    environment = {"OTEL_FLIGHT_SHUTDOWN_TIMEOUT": "1ms"}
    program = ["-c", PROGRAM, "exits", "incident", "compiled"]
    with ServiceProcess(program, environment=environment) as process:
        assert process.wait() == 3, process.output()

    assert titles(tmp_path) == [["error span GET /broken"]]
