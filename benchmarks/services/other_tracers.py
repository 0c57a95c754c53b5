"""What tracing costs a service, by this recorder and by other tracers: those that are installed.

    pip install logfire sentry-sdk ddtrace

Each has the same service in its own process, instrumented as it does it, and sends to one server
that takes everything; the recorder here sends nothing, as no trigger fires.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
import tempfile
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring import child_process, cores, variants
from benchmarks.measuring.figures import Result
from benchmarks.measuring.load_generator import LoadGenerator
from benchmarks.services import other_tracers_app as app
from benchmarks.services import service_app
from benchmarks.services.measured_service import MeasuredService
from benchmarks.services.service_slices import Size, measure_slices, slice_figures
from tests.support.processes.service_process import ServiceProcess, free_port

_PACKAGES: Final = {app.LOGFIRE: "logfire", app.SENTRY: "sentry_sdk", app.DATADOG: "ddtrace"}
_FULL: Final = Size(processes=3, rounds=10, slice_seconds=0.75)
_SMOKE: Final = Size(processes=1, rounds=1, slice_seconds=0.2)
_READY: Final = "taking everything\n"


def run(*, smoke: bool) -> Result:
    """Measure all tracers that there are, and compare each with the bare SDK."""
    size = _SMOKE if smoke else _FULL
    others = [name for name, package in _PACKAGES.items() if importlib.util.find_spec(package)]
    ours = (variants.BARE, variants.INSTALLED, variants.IN_PYTHON, variants.BATCH)
    names = [*variants.available(ours), *others, app.UNTRACED]
    with ExitStack() as stack:
        port = free_port()
        sink = ServiceProcess(
            ["-m", "benchmarks.services.other_tracers", str(port)],
            working_directory=child_process.REPOSITORY,
        )
        stack.enter_context(sink).wait_for_output(_READY)
        generator = stack.enter_context(LoadGenerator())
        endpoint = f"http://127.0.0.1:{port}"
        servers = {
            name: [_start(name, endpoint, stack) for _ in range(size.processes)] for name in names
        }
        for server in itertools.chain(*servers.values()):
            server.wait_until_ready()
        slices = measure_slices(servers, generator, size)
    missing = ", ".join(name for name in _PACKAGES if name not in others)
    return Result(
        benchmark="other_tracers",
        figures=slice_figures(slices, variants.BARE, {}, "to bare"),
        notes=[str(size), *([f"not installed: {missing}"] if missing else [])],
    )


def _start(name: str, endpoint: str, stack: ExitStack) -> MeasuredService:
    port = free_port()
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    process = child_process.start(
        "benchmarks.services.other_tracers_app",
        {"tracer": name, "port": port, "directory": str(directory), "endpoint": endpoint},
        ready_address=f"http://127.0.0.1:{port}{service_app.HEALTH_PATH}",
    )
    return MeasuredService(stack.enter_context(process), port, directory)


class _Sink(BaseHTTPRequestHandler):
    """Takes whatever a tracer sends, as all of their servers do."""

    protocol_version = "HTTP/1.1"

    def _take(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_otlp = self.path.startswith("/v1/")
        body = b"" if is_otlp else b'{"endpoints": ["/v0.4/traces", "/v0.5/traces"]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _take  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    cores.pin(cores.OTHERS)
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Sink) as _server:
        sys.stdout.write(_READY)
        sys.stdout.flush()
        _server.serve_forever()
