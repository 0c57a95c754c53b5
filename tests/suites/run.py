"""Runs a suite once, plain or with the recorder, and reads what became of each test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.suites.catalogue import Suite
from tests.suites.environments import unpack_sdist
from tests.suites.folders import HERE

PLAIN: Final = "plain"
WITH: Final = "with"
LIGHT: Final = "light"
"""All spans are light ones, and there is no recorder."""
EXIT: Final = "(exit)"
"""The id of what stands for the end of the process; it has an outcome like a test."""

_MOST_STARTS: Final = 6
"""A run that crashes or hangs is started again, without what was done, at most so often in all."""
_MOST_SECONDS: Final = 3600.0
"""No process of a run lives longer, in seconds."""
_ABORT_SECONDS: Final = 15.0
"""How long a process that hangs has to write its stacks into the log."""

_AGGRESSIVE: Final = {
    "OTEL_FLIGHT_TICK": "10ms",
    "OTEL_FLIGHT_STACKS_AFTER": "10ms",
    "OTEL_FLIGHT_LOOP_STALL": "10ms",
    "OTEL_FLIGHT_GC_PAUSE": "1ms",
    "OTEL_FLIGHT_DESCHEDULED": "10ms",
    "OTEL_FLIGHT_PROCESS": "100ms",
    "OTEL_FLIGHT_LOG_LEVEL": "DEBUG",
    "OTEL_FLIGHT_RAISED_EXCEPTIONS": "on",
    "OTEL_FLIGHT_SLOW_ROOT": "1ms",
    "OTEL_FLIGHT_STUCK_SPAN": "1s",
    "OTEL_FLIGHT_LOG_TRIGGER": "ERROR",
    "OTEL_FLIGHT_LOOP_STALL_TRIGGER": "50ms",
    "OTEL_FLIGHT_GC_PAUSE_TRIGGER": "10ms",
    "OTEL_FLIGHT_TAIL": "200ms",
    "OTEL_FLIGHT_COOLDOWN": "1s",
    "OTEL_FLIGHT_INCIDENTS_PER_HOUR": "1000",
    "OTEL_FLIGHT_EXPORT": "off",
    "OTEL_FLIGHT_INCIDENT_LOG": "off",  # some look at all that is logged
}
"""The recorder looks at everything, often, and has something to write nearly all the time."""

_NO_RAISED_EXCEPTIONS: Final = ("3.10", "3.11")
"""Those Pythons cannot tell of each exception, and the setting would warn."""


@dataclass(frozen=True)
class Outcome:
    """What became of one test: passed, skipped, altered, failed, error, crashed or hung."""

    outcome: str
    text: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Prepared:
    """A suite, and what it can be run with.

    Attributes:
        suite: what to run.
        program: the Python of its environment.
        version: of that Python, such as `3.12`.
    """

    suite: Suite
    program: Path
    version: str


def run_suite(
    prepared: Prepared, mode: str, folder: Path, targets: Sequence[str] = ()
) -> dict[str, Outcome]:
    """Run a suite to its end, through crashes and hangs, and return the outcomes by test id.

    Args:
        prepared: the suite.
        mode: `PLAIN` or `WITH`.
        folder: where the log and the outcomes go, as `<mode>.log` and `<mode>.jsonl`.
        targets: files or modules to run instead of the whole suite.
    """
    suite = prepared.suite
    folder.mkdir(parents=True, exist_ok=True)
    outcomes_file, log = folder / f"{mode}.jsonl", folder / f"{mode}.log"
    outcomes_file.write_text("")
    log.write_text("")
    with _scratch(prepared) as (work, environment):
        left_out = work.parent / "left-out.json"
        environment |= {
            "FLIGHT_SUITE": mode,
            "FLIGHT_SUITE_OUTCOMES": str(outcomes_file),
            "FLIGHT_SUITE_SKIP": str(left_out),
        }
        process = _Process(
            command=_command(prepared, targets),
            work=work,
            environment=environment,
            outcomes=outcomes_file,
            log=log,
            silent_seconds=suite.silent_seconds,
        )
        done: dict[str, Outcome] = {}
        for _ in range(_MOST_STARTS):
            left_out.write_text(json.dumps({"begins": [*suite.skip], "done": [*done]}))
            end = process.run()
            done, running = _read(outcomes_file)
            if not running:
                break
            if end.outcome == "passed":
                end = Outcome("crashed", "the process ended in the middle of this test")
            # Written down, so that the next reading of the file has it, too.
            with outcomes_file.open("a") as file:
                file.write(json.dumps({"end": running, **vars(end)}) + "\n")
            done, _ = _read(outcomes_file)
    done[EXIT] = end
    return done


def _command(prepared: Prepared, targets: Sequence[str]) -> list[str]:
    suite, program = prepared.suite, prepared.program
    if suite.modules:
        return [str(program), "-m", "flight_suite_unittest", *(targets or suite.modules)]
    paths = [str(HERE / suite.local)] if suite.local else [*suite.paths]
    options = [
        "-p",
        "flight_suite_pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        "-ra",
        "--tb=short",
        "--continue-on-collection-errors",
    ]
    if suite.local:
        options += ["--rootdir", str(HERE), "-c", "/dev/null", "--noconftest"]
    return [str(program), "-m", "pytest", *options, *suite.options, *(targets or paths)]


@contextmanager
def _scratch(prepared: Prepared) -> Iterator[tuple[Path, dict[str, str]]]:
    """Give a run a folder to work in, with the sdist in it, and an environment; remove the folder.

    The paths are short: some tests make Unix sockets, whose names are limited.
    """
    suite, program = prepared.suite, prepared.program
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(prefix="fs-", ignore_cleanup_errors=True) as scratch,
        tempfile.TemporaryDirectory(
            prefix="fs-", dir=memory if memory.is_dir() else None, ignore_cleanup_errors=True
        ) as rings,
    ):
        folder = Path(scratch)
        for name in ("home", "tmp", "work", "spool"):
            (folder / name).mkdir()
        work = folder / "work"
        if suite.project and not suite.local:
            work = unpack_sdist(suite, program, work)
        environment = {
            "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "LANG": "C.UTF-8",
            # Ids of tests made from sets stay the same.
            "PYTHONHASHSEED": "1",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "FLIGHT_SUITE_PROVIDER": suite.provider,
            "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool"),
            "OTEL_FLIGHT_RING_DIRECTORY": rings,
            **_AGGRESSIVE,
            **{k: v for k, v in os.environ.items() if k.startswith("OTEL_FLIGHT_COMPILED")},
            **suite.variables,
        }
        if prepared.version in _NO_RAISED_EXCEPTIONS:
            del environment["OTEL_FLIGHT_RAISED_EXCEPTIONS"]
        yield work, environment


@dataclass(frozen=True)
class _Process:
    """A process that runs tests, and is ended when nothing happens in it."""

    command: Sequence[str]
    work: Path
    environment: dict[str, str]
    outcomes: Path
    log: Path
    silent_seconds: float

    def run(self) -> Outcome:
        """Run it once, and everything that it starts; return how it ended."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                self.command,
                cwd=self.work,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            is_hung = self._is_hung(process)
            if is_hung:
                # pytest and our runner have faulthandler write all stacks at this signal.
                process.send_signal(signal.SIGABRT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_ABORT_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if is_hung:
            return Outcome("hung", f"silent for {self.silent_seconds:.0f} s; the log has stacks")
        if process.returncode in (0, 1):
            return Outcome("passed")
        return Outcome("crashed", f"exit code {process.returncode}")

    def _is_hung(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait for the end, or until no test ended for too long."""
        started = changed = time.monotonic()
        size = 0
        while process.poll() is None:
            time.sleep(0.2)
            now = time.monotonic()
            if self.outcomes.stat().st_size != size:
                size, changed = self.outcomes.stat().st_size, now
            if now - changed > self.silent_seconds or now - started > _MOST_SECONDS:
                return True
        return False


def _read(outcomes: Path) -> tuple[dict[str, Outcome], str]:
    """Return what the file says of the tests that ended, and which one had only begun."""
    done: dict[str, Outcome] = {}
    running = ""
    for line in outcomes.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        running = row.get("begin", "")
        if "end" in row:
            done[row["end"]] = Outcome(row["outcome"], row["text"], row["seconds"])
    return done, running
