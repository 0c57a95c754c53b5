"""What a reader finds if the process is killed at any machine instruction of the hot path in C."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otel_flight.recording.encoding.compiled import IS_AVAILABLE
from tests.integration.ends.programs.stepped_writer import CANNOT, SPANS
from tests.support.rigs.lane_bench import LaneBench
from tests.support.rigs.recording_rig import resolved_segment

ROOT = Path(__file__).parents[3]
PROGRAM = str(Path(__file__).parent / "programs" / "stepped_writer.py")
SINGLE_STEP = 9

pytestmark = [
    pytest.mark.skipif(not IS_AVAILABLE, reason="the hot path in C is not built here"),
    pytest.mark.skipif(sys.platform != "linux", reason="it is traced as Linux does"),
]


@pytest.mark.timeout(300)
def test_a_reader_finds_the_segment_whole_at_every_instruction(tmp_path: Path) -> None:
    """A record is there as a whole or not at all, and those before it are as they were."""
    with (
        (tmp_path / "lane").open("w+b") as file,
        LaneBench(is_attached=False, file=file.fileno()) as bench,
        subprocess.Popen(
            [sys.executable, PROGRAM, file.name],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process,
    ):
        try:
            found = steps_of(process.pid, bench)
        finally:
            process.kill()

    assert found[0] == 1
    assert found == sorted(found)
    assert set(found) == set(range(1, SPANS + 2))
    assert len(found) > 1000 * SPANS


def steps_of(pid: int, bench: LaneBench) -> list[int]:
    """Let a process that waits to be traced do one instruction after the other.

    Returns:
        After each, how many records about spans the lane has, all of which can be read.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    found: list[int] = []
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == CANNOT:
        pytest.skip("no process may be traced here")
    while os.WIFSTOPPED(status):
        found.append(sum(len(list(resolved_segment(each))) for each in bench.segments()))
        stopped_by = os.WSTOPSIG(status)
        passed_on = 0 if stopped_by in {signal.SIGTRAP, signal.SIGSTOP} else stopped_by
        libc.ptrace(SINGLE_STEP, pid, None, passed_on)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return found
