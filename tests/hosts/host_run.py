"""One run of a host, with the recorder or without it, and all that was seen of it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import psutil

from otel_flight.incidents.flight_file import read_manifest
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.spool.spool import Spool
from tests.hosts.host import PROGRAMS, Host
from tests.hosts.visit import DEADLINE_SECONDS, Visit
from tests.support.processes.service_process import ServiceProcess, free_port

ENVIRONMENT: Final = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_SERVICE_NAME": "host",
    "OTEL_FLIGHT_TAIL": "200ms",
    "OTEL_FLIGHT_SLOW_ROOT": "1s",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""Of the recorder's settings only the tail is another one, so that nobody waits for it, and the
limit of jobs, which may take an hour else."""
QUIET_SECONDS: Final = 0.5
"""A host that has written nothing for so long has written all that it has to say."""
_MOMENT_SECONDS: Final = 5.0
"""A process that is there for so many seconds after the host's end is left behind."""
_MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True, kw_only=True)
class HostRun:
    """What was seen of one run.

    Attributes:
        answers: what it answered, in the order in which it was asked.
        healthy_seconds: how long the usual answers took.
        exit_code: negative for a signal.
        ending_seconds: from the signal, or the end of the traffic, to its end.
        log: what it wrote.
        folder: its own folder, which may be named in its log.
        incidents: what it left in the spool.
        left_processes: the command lines of those that it left running.
        left_rings: the names of those of processes that do not run any more.
    """

    answers: list[str]
    healthy_seconds: list[float]
    exit_code: int
    ending_seconds: float
    log: str
    folder: Path
    incidents: list[Manifest]
    left_processes: list[str]
    left_rings: list[str]


def run_host(host: Host, folder: Path, redis: str, *, is_recorded: bool) -> HostRun:
    """Run a host, let its traffic happen, end it, and return what was seen.

    Args:
        host: what to run.
        folder: its own folder, which is made.
        redis: the URL of an empty database; empty when there is none.
        is_recorded: whether the recorder is in it.

    Raises:
        ServiceFailedError: it did not become ready, an incident did not come, or it did not end.
    """
    (folder / "app").mkdir(parents=True)
    folder.chmod(0o777)  # a host may run as somebody else
    for name in host.copies:
        shutil.copy(PROGRAMS / name, folder / "app")
    spool = Spool(folder / "spool", 1 << 30, 100)
    port = free_port()
    command = host.command.format(port=port, folder=folder, environment=sys.prefix)
    with _ring_directory() as rings:
        process = ServiceProcess(
            shlex.split(command),
            launcher=(),
            environment={
                **_environment(host, folder, rings, is_recorded=is_recorded),
                "REDIS": redis,
            },
            working_directory=PROGRAMS,
            output_path=folder / "output.log",
            ready_address=f"tcp://127.0.0.1:{port}",
            is_spoken_to=True,
        )
        with process:
            if host.ready:
                process.wait_for_output(host.ready, DEADLINE_SECONDS)
            elif host.ends_by is not None:
                process.wait_until_ready(DEADLINE_SECONDS)
            visit = Visit(
                process,
                folder,
                port,
                spool,
                is_recorded=is_recorded,
                is_below=host.is_below,
                environment={"REDIS": redis},
            )
            host.traffic(visit)
            if host.ends_by is not None:
                _wait_for_last_lines(process)
            began = time.monotonic()
            if host.ends_by is not None:
                visit.host_process().send_signal(host.ends_by)
            exit_code = process.wait(2 * DEADLINE_SECONDS)
            ending_seconds = time.monotonic() - began
            left = _left_processes(process.pid)  # first: the last lines of the log may be theirs
            return HostRun(
                answers=visit.answers,
                healthy_seconds=visit.healthy_seconds,
                exit_code=exit_code,
                ending_seconds=ending_seconds,
                log=process.output(),
                folder=folder,
                incidents=[read_manifest(entry.path) for entry in spool.entries()],
                left_processes=left,
                left_rings=sorted(
                    path.name for path in rings.glob("*.ring") if not _is_of_running(path)
                ),
            )


def _wait_for_last_lines(process: ServiceProcess) -> None:
    """Let a host that answers before it logs write the lines of its last requests, too."""
    seen, quiet_since = len(process.output()), time.monotonic()
    while process.exit_code is None and time.monotonic() < quiet_since + QUIET_SECONDS:
        time.sleep(0.05)
        if (length := len(process.output())) != seen:
            seen, quiet_since = length, time.monotonic()


def _environment(host: Host, folder: Path, rings: Path, *, is_recorded: bool) -> dict[str, str]:
    # Not resolved: the interpreter is a link, and the programs lie beside the link.
    programs = str(Path(sys.executable).parent)
    environment = {
        **ENVIRONMENT,
        "OTEL_FLIGHT_ENABLED": "true" if is_recorded else "false",
        "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool"),
        "PATH": os.pathsep.join((programs, os.environ["PATH"])),
        "VIRTUAL_ENV": sys.prefix,
        "HOME": str(folder),
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(_others(host.instrumentations)),
        **host.environment,
    }
    # An empty variable is the same as none.
    environment["OTEL_FLIGHT_RING_DIRECTORY"] = (
        "" if host.uses_default_ring_directory else str(rings)
    )
    return environment


def _others(used: Sequence[str]) -> list[str]:
    installed = {each.name for each in entry_points(group="opentelemetry_instrumentor")}
    return sorted(installed - {*used, "otel_flight"})


@contextlib.contextmanager
def _ring_directory() -> Iterator[Path]:
    """Make a folder in memory, as in production, and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="otel-flight-host-", dir=_MEMORY))
    folder.chmod(0o777)
    try:
        yield folder / "rings"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_of_running(ring: Path) -> bool:
    return psutil.pid_exists(int(ring.name.partition("-")[0]))


def _left_processes(session: int) -> list[str]:
    """Return those that stay; the tracker of multiprocessing ends a moment after its process."""
    until = time.monotonic() + _MOMENT_SECONDS
    while (found := _processes_of_session(session)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _processes_of_session(session: int) -> list[str]:
    found = []
    for each in psutil.process_iter(["pid", "cmdline", "status"]):
        try:
            if os.getsid(each.pid) == session and each.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(shlex.join(each.info["cmdline"] or ()))
        except (ProcessLookupError, PermissionError):
            continue
    return found
