"""A real Collector, run with whatever configuration a test or a user has written."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.backends.backend_process import BackendProcess

Ports = Mapping[str, int]


class CollectorProcess(BackendProcess):
    """Run a Collector until the `with` block ends.

    Args:
        folder: for its configuration, its output and its data.
        configuration: makes the configuration's text from the ports, which are named `grpc` and
            `http` for a receiver, `health` for the extension health_check, and as in `more_ports`.
            It must have `health_check: {endpoint: 127.0.0.1:<health>}` among its extensions, which
            readiness is asked of.
        more_ports: names of further ports that the configuration needs.
    """

    name = "collector"

    def __init__(
        self,
        folder: Path,
        configuration: Callable[[Ports], str],
        *,
        more_ports: tuple[str, ...] = (),
    ) -> None:
        super().__init__(folder)
        self._configuration = configuration
        self.port_names = ("grpc", "http", "health", *more_ports)

    def configuration(self) -> str:
        """Return the configuration the test made."""
        return self._configuration(self.ports)

    def arguments(self, configuration_path: Path) -> list[str]:
        """Return the Collector's arguments."""
        return ["--config", str(configuration_path)]

    def is_ready(self) -> bool:
        """Whether its health check says so, which is when all pipelines run."""
        return self.get("health", "/")[0] == 200

    def components(self) -> dict[str, set[str]]:
        """Return the types of the components that this Collector was built with, by their class."""
        found: dict[str, set[str]] = {}
        for line in self._run("components").stdout.splitlines():
            name, _, value = line.strip(" -").partition(": ")
            if line.endswith(":") and not line.startswith(" "):
                found[line[:-1]] = types = set()
            elif name == "name" and found:
                types.add(value)
        return found

    def complaints(self, configuration_path: Path) -> str:
        """Return what `otelcol validate` has to say of a configuration; empty: it is valid."""
        result = self._run("validate", "--config", str(configuration_path))
        return "" if result.returncode == 0 else result.stdout + result.stderr or "no reason given"

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
