"""SIGTERM ends the process as it would without us, in time, and what was open is kept."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from otel_flight.ground.clock import monotonic_ns
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess

PROGRAM = str(Path(__file__).parent / "programs" / "terminated.py")
CAN_UNSHARE = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "-fp", "--mount-proc", "true"], check=False).returncode == 0
)
AS_FIRST_PROCESS = """
import os, sys
unshare = ["unshare", "-fp", "--mount-proc", "--kill-child"]
os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv[1:]])
"""
needs_c = pytest.mark.skipif(
    not list(Path("otel_flight/running/ends").glob("_last_signal.*.so")), reason="not built here"
)


def incidents(tmp_path: Path) -> int:
    """Return how many incidents are in the test's spool."""
    return len(Spool(tmp_path / "spool", 1 << 30, 10).entries())


def terminate(process: ServiceProcess) -> float:
    """Send the signal to a process that waits for it; return how many seconds it lived on."""
    process.wait_for_output("ready")
    begun_ns = monotonic_ns()
    process.send_signal(signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM, process.output()
    return (monotonic_ns() - begun_ns) / 1e9


@needs_c
@pytest.mark.parametrize("who", ["main", "thread"])
@pytest.mark.parametrize("state", ["native call", "lock", "no threads"])
def test_the_incident_is_kept_and_the_process_dies_soon(
    tmp_path: Path, state: str, who: str
) -> None:
    """Also if the main thread never comes back to run a handler, and no thread can be started."""
    with ServiceProcess([PROGRAM, state, who]) as process:
        lived_on = terminate(process)

    assert lived_on < 4
    assert incidents(tmp_path) == 1


@needs_c
def test_a_native_call_that_holds_the_gil_is_not_waited_for() -> None:
    """Nobody of us can do anything then: the process dies all the same."""
    with ServiceProcess([PROGRAM, "GIL held", "main"]) as process:
        assert terminate(process) < 4


@pytest.mark.parametrize("state", ["native call", "GIL held", "lock"])
def test_without_the_recorder_it_dies_at_once(state: str) -> None:
    """That is what the others are compared with."""
    with ServiceProcess([PROGRAM, state, "plain"]) as process:
        assert terminate(process) < 1


@pytest.mark.parametrize("state", ["chained", "compared", "asked", "handler in C", "faulthandler"])
def test_a_handler_of_the_programs_own_does_what_it_does_without_us(state: str) -> None:
    """Whatever it makes of the handler that was there before: to it there was none."""
    codes = {}
    for who in ("plain", "main"):
        with ServiceProcess([PROGRAM, state, who]) as process:
            codes[who] = process.wait()

    assert codes["main"] == codes["plain"]


def test_a_forked_child_that_does_not_record_has_no_handler() -> None:
    """It dies at once, whatever it is doing."""
    outputs = {}
    for who in ("plain", "main"):
        with ServiceProcess([PROGRAM, "fork", who]) as process:
            assert process.wait() == 0, process.output()
            outputs[who] = process.output()

    assert f"child {-signal.SIGTERM} in time" in outputs["plain"]
    assert outputs["main"] == outputs["plain"]


@pytest.mark.skipif(not CAN_UNSHARE, reason="makes a namespace of process ids")
@pytest.mark.parametrize("who", ["plain", "main"])
def test_the_first_process_of_a_container_lives_on_and_records(who: str) -> None:
    """SIGTERM does not kill it where it has no handler; nor may it end the recording."""
    with ServiceProcess(["-c", AS_FIRST_PROCESS, PROGRAM, "first process", who]) as process:
        process.wait_for_output("ready")
        (first,) = psutil.Process(process.pid).children()
        first.send_signal(signal.SIGTERM)
        assert process.wait() == 0, process.output()
        assert "recording True" in process.output()
