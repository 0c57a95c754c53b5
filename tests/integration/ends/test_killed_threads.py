"""A process of many threads is killed at any moment: what had ended is in its ring."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.ends.test_killed_process import ROOT, held, numbers_of
from tests.support.implementations.hot_paths import HOT_PATHS

PROGRAM = str(Path(__file__).parent / "programs" / "killed_threads.py")
KILLS = int(os.environ.get("OTEL_FLIGHT_TEST_KILLS", "20")) // 2
"""So often each of the two hot paths is killed."""
THREADS = 4
TICK_SECONDS = 0.1
MAY_WAIT = sys.version_info < (3, 11)
"""Python 3.10 looks for other threads at jumps that are taken, too: where two threads at once write
what waits, the later one may lose the GIL while it has the turn. What ends meanwhile waits for it,
which takes less than a tick."""


@pytest.mark.timeout(60 + 5 * KILLS)
@pytest.mark.parametrize("is_compiled", HOT_PATHS)
def test_every_span_that_ended_is_in_the_ring(tmp_path: Path, is_compiled: bool) -> None:
    """No record waits for a thread that the interpreter does not run; in Python 3.10 not a tick."""
    moments = random.Random(is_compiled)
    ended = tmp_path / "ended"
    ended.write_bytes(bytes(8 * THREADS))
    with subprocess.Popen(
        [sys.executable, PROGRAM, str(ended), "compiled" if is_compiled else "pure"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(KILLS):
            ended.write_bytes(bytes(8 * THREADS))
            process.stdin.write("go\n")
            process.stdin.flush()
            _, ring, pid = process.stdout.readline().split()
            time.sleep(0.02 + 0.3 * moments.random())
            tick_before = ended.read_bytes()
            if MAY_WAIT:
                time.sleep(TICK_SECONDS)
            os.kill(int(pid), signal.SIGKILL)
            wait_for_end(int(pid))

            records = held(Path(ring))
            last = memoryview(tick_before if MAY_WAIT else ended.read_bytes()).cast("Q")
            for thread in range(THREADS):
                numbers = numbers_of(records, thread) or [0]
                assert numbers == list(range(numbers[0], numbers[-1] + 1))
                assert numbers[-1] >= last[thread]
        process.stdin.close()


def wait_for_end(pid: int) -> None:
    """Wait until a killed process does nothing more."""
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.001)
