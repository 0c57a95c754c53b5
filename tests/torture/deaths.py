"""The ways to die, each with what its incident has to say: the cause, and the line."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from otel_flight.assembly import ASSEMBLY
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.making.completion import examined
from tests.support.processes.limited_group import limited_group
from tests.support.processes.service_process import ServiceProcess, free_port

_ROOT: Final = Path(__file__).parents[2]
_APP: Final = "tests.torture.death_victim"
_SCRIPT: Final = str(_ROOT / "tests" / "integration" / "ends" / "programs" / "dying.py")
_GROUP_BYTES: Final = 250 << 20
_PATIENCE_SECONDS: Final = 90.0
_SERVERS: Final[Mapping[str, Sequence[str]]] = {
    "gunicorn": ("-m", "gunicorn", "-w", "1", "--timeout", "5", _APP),
    "Celery": ("-m", "celery", "-A", _APP, "worker", "-c", "1", "-l", "ERROR"),
    "uWSGI": (
        *("--master", "--processes", "1", "--enable-threads", "--lazy-apps", "--harakiri", "3"),
        *("--disable-logging", "--module", f"{_APP}:application"),
    ),
}


@dataclass(frozen=True)
class Death:
    """A way to die.

    Attributes:
        how: what the program is told to do.
        said: what the incident's title and first finding say, as a regular expression.
        server: whose worker it is; empty: a script.
        options: of the server, besides.
    """

    how: str
    said: str
    server: str = ""
    options: Sequence[str] = ()


DEATHS: Final[Mapping[str, Death]] = {
    "memory ran out": Death("grow", r"died.*memory had run out \(OOM\).*grow \(\S+dying\.py:\d"),
    "segmentation fault": Death("segfault", r"died.*SIGSEGV.*segfault \(\S+dying\.py:\d"),
    "abort": Death("abort", r"died.*SIGABRT \(`abort`\) in abort \(\S+dying\.py:\d"),
    "stack overflow": Death("overflow", r"died.*stack overflow: overflow \(\S+dying\.py:\d"),
    "os._exit": Death("leave", r"died GET /report: .*`os\._exit\(3\)`"),
    "SIGKILL": Death("be_killed", r"died GET /report: .*was killed by SIGKILL"),
    "gunicorn, regular expression": Death("match", r"deadline.*GIL.*`match \(\S+py:\d", "gunicorn"),
    "gunicorn, deadlock": Death("deadlock", r"deadline.*lock.*`deadlock \(\S+py:\d", "gunicorn"),
    "gunicorn, sleep": Death("wait", r"deadline.*slept.*`wait \(\S+py:\d", "gunicorn"),
    "Celery, soft limit": Death(
        "wait", r"time limit.*in `wait \(\S+py:\d", "Celery", ("--soft-time-limit", "3")
    ),
    "Celery, hard limit": Death(
        "wait", r"deadline.*slept.*`wait \(\S+py:\d", "Celery", ("--time-limit", "3")
    ),
    "uWSGI, harakiri": Death("wait", r"died.*harakiri.*wait \(\S+py:\d", "uWSGI"),
}


def die(death: Death) -> str | None:
    """Let a process die; return what its incident says, None: that cannot be tried here.

    It is a title and the first finding, in one line; empty: there is no incident.
    """
    with tempfile.TemporaryDirectory(prefix="otel-flight-") as directory:
        folder = Path(directory)
        for each in ("messages", "control"):
            (folder / each).mkdir()
        environment = {
            "PYTHONPATH": str(_ROOT),
            "OTEL_FLIGHT_RING_DIRECTORY": str(folder / "ring"),
            "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool"),
            "OTEL_FLIGHT_EXPORT": "off",
            "OTEL_FLIGHT_INCIDENT_LOG": "off",
        }
        if not death.server:
            return _die_as_script(death.how, folder, {**os.environ, **environment})
        program = _uwsgi() if death.server == "uWSGI" else sys.executable
        return None if program is None else _die_as_worker(death, program, folder, environment)


def _uwsgi() -> str | None:
    folders = (str(Path(sys.executable).parent), os.environ.get("PATH", ""))
    return shutil.which("uwsgi", path=os.pathsep.join(folders))


def _die_as_script(how: str, folder: Path, environment: Mapping[str, str]) -> str | None:
    if how == "overflow" and sys.version_info >= (3, 12):  # which counts such calls
        return None
    try:
        limits = limited_group("memory", str(_GROUP_BYTES)) if how == "grow" else nullcontext()
        with limits as group:
            start = "import os, runpy, sys; del sys.argv[0]\n"
            if group is not None:
                start += f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
            start += "runpy.run_path(sys.argv[0], run_name='__main__')"
            process = subprocess.Popen(
                [sys.executable, "-c", start, _SCRIPT, how],
                env=environment,
                stderr=subprocess.DEVNULL,
            )
            # Until its parent asks for that, the kernel knows how it ended.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            recover = [sys.executable, "-m", "otel_flight.cli", "recover"]
            subprocess.run(recover, env=environment, check=True, stdout=subprocess.DEVNULL)
            process.wait()
    except pytest.skip.Exception:
        return None
    return _told(folder)


def _die_as_worker(death: Death, program: str, folder: Path, environment: Mapping[str, str]) -> str:
    port = free_port()
    address = f"127.0.0.1:{port}"
    bound = {"gunicorn": ("--bind", address), "uWSGI": ("--http-socket", address)}
    command = [*_SERVERS[death.server], *death.options, *bound.get(death.server, ())]

    def ask(path: str) -> bool:
        """Ask for something; return whether it was done."""
        if death.server == "Celery":
            call = ["-m", "celery", "-A", _APP, "call", "serve", "--args", f'["{path}"]']
            done = subprocess.run(
                [program, *call],
                cwd=folder,
                env={**os.environ, **environment, "OTEL_FLIGHT_ENABLED": "false"},
                capture_output=True,
                check=False,
            )
            return not done.returncode
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", path)
            return connection.getresponse().status == 200
        return False

    with ServiceProcess(
        command, launcher=[program], environment=environment, working_directory=folder
    ) as server:
        server.wait_for(lambda: ask("/ok"), "no answer", _PATIENCE_SECONDS)
        ask(f"/{death.how}")
        # Whoever comes next recovers it, with its first span.
        with suppress(Exception):
            server.wait_for(lambda: ask("/ok") and bool(_told(folder)), "none", _PATIENCE_SECONDS)
    return _told(folder)


def _told(folder: Path) -> str:
    for path in sorted((folder / "spool").glob("*.flight")):
        # As it is shown and sent: a worker that ends may have had no time for findings.
        manifest = examined(read_incident(path), ASSEMBLY.rulebook, Guard()).manifest
        first = manifest.findings[0].summary if manifest.findings else "nothing was found"
        return f"{manifest.title}: {first}"
    return ""


def has_said(death: Death, told: str) -> bool:
    """Return whether an incident says what it has to."""
    return re.search(death.said, told) is not None
