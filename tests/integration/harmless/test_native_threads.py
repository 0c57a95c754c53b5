"""Our threads do not get in the way of the program's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes.service_process import ServiceProcess

PROGRAMS = Path(__file__).parent / "programs"
DAEMON = str(PROGRAMS / "blocked_signal.py")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGHUP", "SIGALRM"])
def test_a_signal_that_the_program_has_blocked_stays_pending(name: str) -> None:
    """Nothing of it reaches a thread of ours, where it would kill or run its handler too early."""
    outputs = {}
    for how in ("plain", "recorded"):
        with ServiceProcess([DAEMON, name, how]) as process:
            assert process.wait() == 0, process.output()
            outputs[how] = process.output()

    assert outputs["plain"] == "pending True\nreceived True\n"
    assert outputs["recorded"] == outputs["plain"]
