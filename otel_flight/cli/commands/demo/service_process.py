"""The demo's service as a process of its own, instrumented by environment variables alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from otel_flight.errors import MissingExtra

SERVICE_NAME: Final = "demo-shop"
_APPLICATION: Final = "otel_flight.cli.commands.demo.service:app"
_NEEDED: Final = ("fastapi", "uvicorn", "opentelemetry.instrumentation.fastapi")
_STOP_SECONDS: Final = 10.0


class DemoService:
    """Run the shop until the `with` block ends.

    Args:
        directory: for its spool, ring and log.
        endpoint: a backend to send incidents to, None for none.

    Raises:
        MissingExtra: packages it needs are not installed.
    """

    def __init__(self, directory: Path, endpoint: str | None) -> None:
        self._command = [_launcher(), sys.executable, "-m", "uvicorn", _APPLICATION]
        self.spool_directory = directory / "spool"
        self.ring_directory = directory / "ring"
        self.log = directory / "service.log"
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.environment = self._settings(endpoint)
        self._process: subprocess.Popen[bytes] | None = None

    def _settings(self, endpoint: str | None) -> Mapping[str, str]:
        return {
            "OTEL_SERVICE_NAME": SERVICE_NAME,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.01",
            "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS": "health",
            "OTEL_FLIGHT_SPOOL_DIRECTORY": str(self.spool_directory),
            "OTEL_FLIGHT_RING_DIRECTORY": str(self.ring_directory),
            "OTEL_FLIGHT_SLOW_ROOT": "1s",
            "OTEL_FLIGHT_SLOW_ROOT_ROUTES": "rebuild*=off",
            **({"OTEL_FLIGHT_ENDPOINT": endpoint} if endpoint else {}),
        }

    def __enter__(self) -> DemoService:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("OTEL_")
        }
        options = ["--host", "127.0.0.1", "--port", str(self._port), "--log-level", "warning"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own command line)
                [*self._command, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**inherited, **self.environment},
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the service
            )
        return self

    def __exit__(self, *exception: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Not SIGTERM: uvicorn raises it again when it is done, and dies without its exit hooks.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # Empty after a clean end; a ring that was left behind is worth a look, and stays.
        with contextlib.suppress(OSError):
            self.ring_directory.rmdir()

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process is None or self._process.poll() is not None

    def last_words(self) -> str:
        """Return the last line of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _launcher() -> str:
    """Return the path of `opentelemetry-instrument`."""
    missing = [name for name in _NEEDED if not _is_installed(name)]
    beside = Path(sys.executable).with_name("opentelemetry-instrument")
    found = str(beside) if beside.exists() else shutil.which("opentelemetry-instrument")
    if missing or found is None:
        raise MissingExtra("demo", "the demo")
    return found


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
