"""`make torture`: the ways to end, on every Python found; arguments narrow them down.

Such as `SIGTERM`, `16`, `undelivered`, `3.12`: of each kind of word, only those that are named. It
prints a table, and fails where something was lost or an end took too long.

`crashes` instead kills a program a hundred times, or as often as the next word says, while it makes
and delivers incidents, and counts what arrived. `kills` does the same to workers of gunicorn and of
Celery, 200 times each or as often as the next word says, and looks for an incident of each;
with `jaeger`, in a real one, too. `deaths` lets a script or a worker die in each of a dozen ways,
and looks whether what is found first names the cause and the line. `spans` makes light spans under
everything at once, for an hour or as many seconds as the next word says.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.receivers.otlp_messages import Transport
from tests.torture.crashes import crash
from tests.torture.deaths import DEATHS, die, has_said
from tests.torture.exits import STATES, WAYS, Case, run
from tests.torture.kills import SERVERS, kill_workers
from tests.torture.stress import stress

THREADS: Final = ("0", "1", "4", "16")
PYTHONS: Final = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
TRANSPORTS: Final[tuple[Transport, ...]] = ("http/protobuf", "grpc")
_CRASHES: Final = "100"
_KILLS: Final = "200"
_SPANS_SECONDS: Final = "3600"
ROOT: Final = Path(__file__).parents[2]
_IMPORTS: Final = "import otel_flight, opentelemetry.sdk"


def main(words: Sequence[str]) -> int:
    """Run the cases that are asked for; return the exit code."""
    if "crashes" in words:
        cycles = int(next(filter(str.isdigit, words), _CRASHES))
        return crash_by_each(cycles, [each for each in TRANSPORTS if each in words] or TRANSPORTS)
    if "kills" in words:
        servers = [each for each in SERVERS if each in words] or list(SERVERS)
        kills = int(next(filter(str.isdigit, words), _KILLS))
        return kill_each(servers, kills, with_jaeger="jaeger" in words)
    if "spans" in words:
        return stress(int(next(filter(str.isdigit, words), _SPANS_SECONDS)), say=say)
    if "deaths" in words:
        return let_die()
    asked = [
        [each for each in known if each in words] or list(known)
        for known in (PYTHONS, WAYS, THREADS, STATES)
    ]
    faults = 0
    say(f"{'Python':8}{'end':11}{'threads':>7}  {'incident':12}{'seconds':>7}  where")
    for python in asked[0]:
        interpreter = find(python)
        if interpreter is None:
            say(f"{python:8}not found")
            continue
        for how, threads, state in itertools.product(*asked[1:]):
            faults += show(python, Case(how, int(threads), state, interpreter))
    say(f"{faults} faults")
    return min(faults, 1)


def crash_by_each(cycles: int, transports: Sequence[Transport]) -> int:
    """Kill a program so often that delivers by HTTP, then one that does by gRPC."""
    faults = 0
    for transport in transports:
        found = crash(cycles, transport, say=say)
        say(f"{transport}: {found}")
        faults += len(found.faults)
    return min(faults, 1)


def kill_each(servers: Sequence[str], kills: int, *, with_jaeger: bool) -> int:
    """Kill so many workers of each of these servers."""
    faults = 0
    for server in servers:
        with ExitStack() as stack:
            jaeger = None
            if with_jaeger:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                jaeger = stack.enter_context(JaegerProcess(folder))
            found = kill_workers(server, kills, jaeger=jaeger, say=say)
        say(f"{found}")
        faults += len(found.faults)
    return min(faults, 1)


def let_die() -> int:
    """Let processes die in every way; return whether one was not explained."""
    named = tried = 0
    for name, death in DEATHS.items():
        told = die(death)
        if told is None:
            say(f"{name}: cannot be tried here")
            continue
        tried += 1
        named += has_said(death, told)
        say(f"{name}: {'' if has_said(death, told) else 'NOT NAMED: '}{told}")
    say(f"{named} of {tried} named")
    return int(named < tried)


def show(python: str, case: Case) -> int:
    """Run a case and print what came of it; return how many faults it has."""
    outcome = run(case)
    faults = list(outcome.faults(case))
    line = f"{python:8}{case.how:11}{case.threads:7}  {case.state:12}{outcome.seconds:7.1f}  "
    say(f"{line}{outcome.place}{'  FAULT: ' * bool(faults)}{', '.join(faults)}")
    return len(faults)


def find(version: str) -> str | None:
    """Return an interpreter of a version that can import the package; None: there is none."""
    for folder in folders():
        python = folder / f"python{version}"
        with tempfile.TemporaryDirectory() as elsewhere:
            command = [str(python), "-c", _IMPORTS]
            if (
                python.exists()
                and not subprocess.run(
                    command, cwd=elsewhere, capture_output=True, check=False
                ).returncode
            ):
                return str(python)
    return None


def folders() -> Iterator[Path]:
    """Yield where interpreters may be: this one's folder, those of nox, those of the path."""
    yield Path(sys.executable).parent
    yield from sorted(ROOT.glob(".nox/*/bin"))
    yield from map(Path, os.environ.get("PATH", "").split(os.pathsep))


def say(line: str) -> None:
    """Write a line at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
