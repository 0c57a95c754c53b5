"""Real processes die in many ways; the first finding names the cause and the line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.manifest import Finding
from otel_flight.interpreter.hang_watch import CAN_WATCH
from tests.support.incidents.command_line import run
from tests.support.processes.limited_group import limited_group

PROGRAM: Final = Path(__file__).parent / "programs" / "dying.py"
needs_c = pytest.mark.skipif(not CAN_WATCH, reason="only C can write stacks without the GIL")


@pytest.fixture(autouse=True)
def core_files_off() -> Iterator[None]:
    """Leave no core files behind: the limit is inherited."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def dying(how: str, group: Path | None = None) -> subprocess.Popen[str]:
    """Start a process that dies."""
    start = "import os, runpy, sys; del sys.argv[0]\n"
    if group is not None:
        start += f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
    start += "runpy.run_path(sys.argv[0], run_name='__main__')"
    return subprocess.Popen(
        [sys.executable, "-c", start, str(PROGRAM), how],
        env={key: value for key, value in os.environ.items() if key != "PYTHONFAULTHANDLER"},
        stderr=subprocess.PIPE,
        text=True,
    )


def first_finding() -> Finding:
    """Return what is found first in the one incident that is made of a death."""
    (recovered,) = json.loads(run("recover", "--json").output)
    (file,) = recovered["incidents"]
    manifest = read_incident(Path(file)).manifest
    assert manifest.title == "process died GET /report"
    return manifest.findings[0]


def death(how: str) -> tuple[int, str]:
    """Let a process die; return its status, and what the first finding says without its number."""
    process = dying(how)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors, errors
    finding = first_finding()
    assert finding.rule == "process_died"
    return process.returncode, finding.summary.partition(" ")[2].partition(" ")[2]


def line_of(function: str, text: str) -> str:
    """Return how a finding names a line of the program."""
    lines = PROGRAM.read_text(encoding="utf-8").splitlines()
    number = 1 + next(i for i, line in enumerate(lines) if text in line)
    return f"{function} (programs/dying.py:{number})"


@needs_c
@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("abort", -6, f"was killed by SIGABRT (`abort`) in {line_of('abort', 'os.abort()')}"),
        ("bus_error", -7, "was killed by a bus error (SIGBUS) in"),
        ("arithmetic_error", -8, "was killed by an arithmetic error (SIGFPE) in"),
        ("segfault", -11, "was killed by a segmentation fault (SIGSEGV) in string_at"),
    ],
)
def test_a_crash_is_named_with_its_line(how: str, status: int, said: str) -> None:
    """And the request that died with it; the process dies of the same signal as without us."""
    ended, summary = death(how)

    assert ended == status
    assert summary.startswith(said)
    assert f"{how} (programs/dying.py:" in summary
    assert ", and 1 request with it: `GET /report` for " in summary


@needs_c
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the interpreter counts such calls there")
def test_a_stack_overflow_names_the_function() -> None:
    """The handler of the crash needs a stack of its own for that."""
    ended, summary = death("overflow")

    assert ended == -11
    assert summary.startswith("was killed by a stack overflow: overflow (programs/dying.py:4")
    assert ") calls itself too often, and 1 request with it" in summary


@needs_c
def test_a_native_call_that_holds_the_gil_to_the_end_is_named() -> None:
    """With its line, and how long; nothing of ours could run until then."""
    ended, summary = death("match")

    assert ended == -9
    assert "ended without a word, while a native call held the interpreter's lock (GIL)" in summary
    place = line_of("match", "re.match(")
    assert summary.endswith(f"`GET /report` was last seen in {place}")
    assert "`GET /report` for 4." in summary


def test_who_leaves_by_exit_or_is_killed_ends_without_a_word() -> None:
    """Nobody can tell who was, once the parent has asked how it ended."""
    for how, status in (("leave", 3), ("be_killed", -9)):
        ended, summary = death(how)
        assert ended == status
        assert summary.startswith("ended without a word, and 1 request with it: `GET /report`")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel must say so")
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("leave", "ended by `os._exit(3)`, or as a native library ended it"),
        ("be_killed", "was killed by SIGKILL"),
    ],
)
def test_how_it_ended_is_known_until_its_parent_asks(how: str, said: str) -> None:
    """As long as that is so, the kernel keeps it."""
    process = dying(how)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    finding = first_finding()

    assert finding.summary.startswith(f"process {process.pid} {said}")
    process.communicate()


@needs_c
def test_signals_that_the_program_handles_stay_its_own() -> None:
    """Crashes are written all the same, by the others."""
    ended, summary = death("abort_by_handler")

    assert ended == 5
    assert summary.startswith("ended without a word")


def test_running_out_of_memory_is_named_with_what_grew() -> None:
    """The kernel says that it killed someone; what was measured says who had how much."""
    with limited_group("memory", str(250 << 20)) as group:
        process = dying("grow", group)
        process.communicate(timeout=60)

        finding = first_finding()

    assert process.returncode == -9
    assert "was killed by the kernel, as memory had run out (OOM)" in finding.summary
    assert "of the 250.0 MiB that its container may use" in finding.summary
    assert "was last seen in grow (programs/dying.py:" in finding.summary


@needs_c
def test_whoever_writes_its_own_crashes_goes_on_doing_so() -> None:
    """To its standard error; ours has nothing then."""
    process = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(PROGRAM), "segfault"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert process.returncode == -11
    assert "Fatal Python error: Segmentation fault" in process.stderr
    assert "ended without a word" in first_finding().summary
