"""A backend as a process of its own: started on free ports, waited for by readiness, killed.

Not a ServiceProcess, which runs Python programs: these take a configuration file that names their
ports, and a port that was free when it was chosen can be taken when they come to use it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

import pytest
from typing_extensions import Self

from tests.backends.sources import backend
from tests.support.processes.service_process import free_port

_ATTEMPTS = 4
_POLL_SECONDS = 0.05
_PORT_TAKEN = "address already in use"
_MISSING = "not built, or from other sources: run `make backends` first"
# Read at import, as a test finds the OTEL_* variables taken away.
_IS_REQUIRED = os.environ.get("OTEL_FLIGHT_REQUIRE_BACKENDS") == "1"

_T = TypeVar("_T")


def needs_backends(*names: str) -> list[pytest.MarkDecorator]:
    """Return the marks of a module whose tests run these backends.

    Without them the tests skip, in one line of the summary for the whole module; with
    OTEL_FLIGHT_REQUIRE_BACKENDS=1 each of them fails.
    """
    marks = [pytest.mark.backends]
    missing = [name for name in names if not backend(name).is_built()]
    if missing and not _IS_REQUIRED:
        marks.append(pytest.mark.skip(reason=f"{', '.join(missing)} {_MISSING}"))
    return marks


def required_program(name: str) -> Path:
    """Return a backend's program; fail the test when it is not built."""
    found = backend(name)
    if not found.is_built():
        pytest.fail(f"{name}: {_MISSING}", pytrace=False)
    return found.program


class BackendFailedError(RuntimeError):
    """The program died, or did not get where it was waited for; carries its output."""

    def __init__(self, what: str, process: BackendProcess) -> None:
        super().__init__(
            f"{process.name}: {what}; its last words were:\n{process.output()[-4000:]}"
        )


class BackendProcess(ABC):
    """Run a backend until the `with` block ends, then kill it.

    Fails the test when the program is not built; see `needs_backends`.

    Args:
        folder: for its configuration, its output and its data.

    Attributes:
        ports: by what they are for. They stay the same when it is started again.
    """

    name: ClassVar[str]
    port_names: tuple[str, ...]
    ready_seconds: ClassVar[float] = 60.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: Mapping[str, int] = {}
        self.program = required_program(self.name)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def configuration(self) -> str:
        """Return the configuration file's text, with `ports` as they are."""

    @abstractmethod
    def arguments(self, configuration_path: Path) -> list[str]:
        """Return what follows the program's name."""

    def environment(self) -> Mapping[str, str]:
        """Return variables for its configuration file, with `ports` as they are; none."""
        return {}

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it takes spans and answers queries."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> Self:
        """Start it and block until it is ready; again after `kill()`, on the same ports.

        Raises:
            BackendFailedError: it died, or is not ready in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        has_ports = bool(self.ports)
        for attempt in range(1, _ATTEMPTS + 1):
            if not has_ports:
                self.ports = _free_ports(self.port_names)
            try:
                self._launch()
                self.wait_for("not ready", self.is_ready, self.ready_seconds)
                return self
            except BaseException as error:
                self.kill()
                is_taken = isinstance(error, BackendFailedError) and _PORT_TAKEN in self.output()
                if not is_taken or attempt == _ATTEMPTS:
                    raise
        raise AssertionError

    def kill(self) -> None:
        """End it at once, as a crash would; does nothing when it is not running."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end in an orderly way, and wait for that."""
        self._end(signal.SIGTERM)

    def output(self) -> str:
        """Return what it logged since it was started last."""
        if not self._log_path.exists():
            return ""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def wait_for(self, what: str, probe: Callable[[], _T], timeout_seconds: float = 30.0) -> _T:
        """Block until `probe` returns something true, and return that.

        Args:
            what: is wrong when it does not: the message.
            probe: asks the program; an error of the network counts as not yet.
            timeout_seconds: how long to try.

        Raises:
            BackendFailedError: it does not in time, or the program died.
        """
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if result := probe():
                    return result
            assert self._process is not None
            try:
                # Returns early when the process dies: the one event there is to wait for.
                self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise BackendFailedError(f"{what}, exited {self._process.returncode}", self)
        raise BackendFailedError(f"{what} within {timeout_seconds} s", self)

    def address(self, port_name: str) -> str:
        """Return the http:// URL of one of its ports."""
        return f"http://127.0.0.1:{self.ports[port_name]}"

    @property
    def grpc_endpoint(self) -> str:
        """Where it takes OTLP over gRPC, by a port called `grpc`."""
        return self.address("grpc")

    @property
    def http_endpoint(self) -> str:
        """Where it takes OTLP over HTTP, by a port called `http`, without the path."""
        return self.address("http")

    def get(
        self,
        port_name: str,
        path: str,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Send a GET request, and return status and body.

        Raises:
            OSError: nobody answers.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port_name], timeout=30.0)
        try:
            connection.request("GET", target, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get_json(self, port_name: str, path: str, query: Mapping[str, object] | None = None) -> Any:
        """Send a GET request and return the decoded answer; None for 404.

        Raises:
            BackendFailedError: it answered with another error.
        """
        status, body = self.get(port_name, path, query, {"Accept": "application/json"})
        if status == http.HTTPStatus.NOT_FOUND:
            return None
        if status != http.HTTPStatus.OK:
            message = f"GET {path} {dict(query or {})} was answered {status}: {body[:500]!r}"
            raise BackendFailedError(message, self)
        return json.loads(body)

    @property
    def _log_path(self) -> Path:
        return self.folder / f"{self.name}.log"

    def _launch(self) -> None:
        path = self.folder / f"{self.name}.yaml"
        path.write_text(self.configuration(), encoding="utf-8")
        # Without our variables, nor a proxy: these programs read both kinds.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("OTEL_") and not name.lower().endswith("_proxy")
        }
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [str(self.program), *self.arguments(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**environment, **self.environment()},
                cwd=self.folder,
                # Ctrl-C is for the tests, which then end this process in their own order.
                start_new_session=True,
            )

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        try:
            self._process.wait(20.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _free_ports(names: tuple[str, ...]) -> dict[str, int]:
    chosen: dict[str, int] = {}
    while len(chosen) < len(names):
        port = free_port()
        if port not in chosen.values():
            chosen[names[len(chosen)]] = port
    return chosen
