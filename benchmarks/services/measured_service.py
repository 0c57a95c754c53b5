"""The service as a process of its own, and how it is asked for something besides the load."""

from __future__ import annotations

import http.client
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measuring import child_process
from benchmarks.services import service_app
from tests.support.processes.service_process import ServiceProcess, free_port


class MeasuredService(NamedTuple):
    """A running service.

    Attributes:
        directory: Where its variant keeps files.
    """

    process: ServiceProcess
    port: int
    directory: Path

    def wait_until_ready(self) -> MeasuredService:
        """Block until it answers."""
        self.process.wait_until_ready(timeout_seconds=60)
        return self

    def get(self, path: str) -> Any:
        """Return its answer to one request, whatever the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            return json.load(connection.getresponse())
        finally:
            connection.close()


def start_service(
    variant: str,
    endpoint: str | None,
    stack: ExitStack,
    *,
    settings: dict[str, Any] | None = None,
    sampled_share: float | None = None,
) -> MeasuredService:
    """Start the service; it need not be ready yet. It ends with the stack.

    Args:
        variant: Keeps its spans.
        endpoint: Base URL of an OTLP/HTTP receiver.
        stack: What it lives in.
        settings: More settings for the recorder.
        sampled_share: What the sampler keeps; None: everything.
    """
    port = free_port()
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    configuration = {
        "variant": variant,
        "port": port,
        "directory": str(directory),
        "endpoint": endpoint,
        "settings": settings,
        "sampled_share": sampled_share,
    }
    process = child_process.start(
        "benchmarks.services.service_app",
        configuration,
        ready_address=f"http://127.0.0.1:{port}{service_app.HEALTH_PATH}",
    )
    return MeasuredService(stack.enter_context(process), port, directory)
