"""A Python program as a real process, for what only a process shows.

Start-up under `opentelemetry-instrument`, environment variables, signals, exit codes and what is
left behind after a kill are all properties of a process, not of a function called in a test.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import final
from urllib.parse import urlsplit

_POLL_SECONDS = 0.02
# Set for each test by conftest.py: a service without them would write into the user's own spool.
_KEPT_VARIABLES = frozenset(
    {"OTEL_FLIGHT_RING_DIRECTORY", "OTEL_FLIGHT_SPOOL_DIRECTORY", "OTEL_FLIGHT_INCIDENT_LOG"}
)


class ServiceFailedError(RuntimeError):
    """The process died, or did not get where it was waited for; carries its output."""

    def __init__(self, what: str, process: ServiceProcess) -> None:
        state = "is running" if process.exit_code is None else f"exited {process.exit_code}"
        output = process.output()[-4000:]
        super().__init__(f"{what}; {process.command} {state}, its output was:\n{output}")


@final
class ServiceProcess:
    """Run a Python program until the `with` block ends, then kill it and its children.

    Args:
        arguments: What follows the interpreter: a script's path or `-m module`, and arguments.
        launcher: What comes before the arguments; None is this interpreter.
        instrumented: Start it under `opentelemetry-instrument`, the script installed beside
            this interpreter; only where there is no launcher.
        is_spoken_to: Whether `say` writes to its standard input; otherwise that is empty.
        environment: Added to this process's environment, from which the OTEL_* variables are
            taken away first, so that a developer's own settings change no test; all but those
            that conftest.py sets.
        working_directory: None is this process's.
        output_path: Where stdout and stderr go, appended; None takes a temporary file, removed
            in the end.
        ready_address: What `wait_until_ready` asks: an http:// URL that must answer below 400,
            or tcp://host:port that must accept.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        launcher: Sequence[str] | None = None,
        instrumented: bool = False,
        is_spoken_to: bool = False,
        environment: Mapping[str, str] | None = None,
        working_directory: Path | None = None,
        output_path: Path | None = None,
        ready_address: str | None = None,
    ) -> None:
        if launcher is None:
            launcher = [sys.executable]
            if instrumented:
                # Not resolved: the interpreter is a link, and the script lies beside the link.
                script = Path(sys.executable).with_name("opentelemetry-instrument")
                launcher = [str(script), sys.executable]
        self.command = [*launcher, *arguments]
        self._is_spoken_to = is_spoken_to
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("OTEL_") or name in _KEPT_VARIABLES
        }
        self._environment["PYTHONUNBUFFERED"] = "1"
        self._environment.update(environment or {})
        self._working_directory = working_directory
        self._ready_address = ready_address
        self._output_path = output_path
        self._temporary_output: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ServiceProcess:
        if self._output_path is None:
            descriptor, name = tempfile.mkstemp(prefix="service-", suffix=".log")
            os.close(descriptor)
            self._output_path = self._temporary_output = Path(name)
        with self._output_path.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE if self._is_spoken_to else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._working_directory,
                # A process group of its own, so that its workers can be killed with it.
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The group outlives its leader while a worker runs, so it is killed in any case.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait()
        if self._running.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._running.stdin.close()
        if self._temporary_output is not None:
            self._temporary_output.unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        """The program's own process id; `opentelemetry-instrument` becomes the program."""
        return self._running.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, the negated signal number if a signal ended it."""
        return self._running.poll()

    def output(self) -> str:
        """Return what it wrote to stdout and stderr so far.

        After the `with` block only a given `output_path` still has it.
        """
        if self._output_path is None or not self._output_path.exists():
            return ""
        return self._output_path.read_text(encoding="utf-8", errors="replace")

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the program, not to its children."""
        self._running.send_signal(number)

    def say(self, line: str) -> None:
        """Write a line to the program's standard input."""
        assert self._running.stdin is not None, "started without is_spoken_to"
        self._running.stdin.write(f"{line}\n".encode())
        self._running.stdin.flush()

    def wait(self, timeout_seconds: float = 30.0) -> int:
        """Block until it exits and return its exit code.

        Raises:
            ServiceFailedError: It is still running then.
        """
        try:
            return self._running.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            message = f"no exit within {timeout_seconds} s"
        raise ServiceFailedError(message, self)

    def wait_until_ready(self, timeout_seconds: float = 30.0) -> ServiceProcess:
        """Block until the ready address answers.

        Raises:
            ServiceFailedError: It does not in time, or the process died.
        """
        if self._ready_address is None:
            message = "no ready_address to wait for"
            raise ValueError(message)
        address = self._ready_address
        self.wait_for(lambda: is_answering(address), f"{address} is silent", timeout_seconds)
        return self

    def wait_for_output(self, text: str, timeout_seconds: float = 30.0) -> None:
        """Block until the output contains the text.

        Raises:
            ServiceFailedError: It does not in time, or the process died without writing it.
        """
        self.wait_for(lambda: text in self.output(), f"{text!r} was not written", timeout_seconds)

    def wait_for(
        self, is_reached: Callable[[], bool], what: str, timeout_seconds: float = 30.0
    ) -> None:
        """Block until something is reached.

        Args:
            is_reached: tells whether it is.
            what: is wrong when it is not: the message.
            timeout_seconds: how long to wait.

        Raises:
            ServiceFailedError: It is not in time, or the process died without.
        """
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            # Asked in this order, so that the last words of a dead process still count.
            is_dead = self.exit_code is not None
            if is_reached():
                return
            if is_dead:
                break
            # Returns early when the process dies: the one event there is to wait for.
            try:
                self._running.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        raise ServiceFailedError(what, self)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            message = "not started: use it in a `with` statement"
            raise RuntimeError(message)
        return self._process


def free_port() -> int:
    """Return a loopback TCP port that nobody listens on just now.

    It is below those that the kernel gives away, so that no client has it before the server does.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_answering(address: str) -> bool:
    """Return whether http://host:port/path answers below 400, or tcp://host:port accepts."""
    parts = urlsplit(address)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    try:
        if parts.scheme == "tcp":
            socket.create_connection((host, port), timeout=1.0).close()
            return True
        connection = http.client.HTTPConnection(host, port, timeout=1.0)
        try:
            connection.request("GET", parts.path or "/")
            return connection.getresponse().status < 400
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False
