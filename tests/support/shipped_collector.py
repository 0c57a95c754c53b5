"""A real Collector, run with one of the files in collector-config/ just as it lies there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, final

from tests.backends.backend_process import BackendProcess

FILES: Final = Path(__file__).parents[2] / "collector-config"

_HOST: Final = "127.0.0.1"


@final
class ShippedCollector(BackendProcess):
    """Run a Collector until the `with` block ends.

    Args:
        folder: for its output and its queue, which is found there again after a restart.
        file_name: of the file in collector-config/.
        variables: what the file needs to know besides its own addresses and its queue's directory.
    """

    name = "collector"
    port_names = ("grpc", "http", "health", "metrics")

    def __init__(self, folder: Path, file_name: str, variables: Mapping[str, str]) -> None:
        super().__init__(folder)
        self._file_name = file_name
        self._variables = dict(variables)

    @property
    def grpc_endpoint(self) -> str:
        """Where its receiver takes OTLP over gRPC."""
        return self.address("grpc")

    @property
    def http_endpoint(self) -> str:
        """Where its receiver takes OTLP over HTTP, without the path."""
        return self.address("http")

    @property
    def target(self) -> str:
        """Its gRPC address in the notation of another Collector's endpoints."""
        return f"{_HOST}:{self.ports['grpc']}"

    def configuration(self) -> str:
        """Return the file as it is."""
        return (FILES / self._file_name).read_text(encoding="utf-8")

    def arguments(self, configuration_path: Path) -> list[str]:
        """Return the Collector's arguments."""
        return ["--config", str(configuration_path)]

    def environment(self) -> Mapping[str, str]:
        """Return the variables that the file names."""
        return {
            "COLLECTOR_HOST": _HOST,
            "COLLECTOR_GRPC_PORT": str(self.ports["grpc"]),
            "COLLECTOR_HTTP_PORT": str(self.ports["http"]),
            "COLLECTOR_HEALTH_PORT": str(self.ports["health"]),
            "COLLECTOR_METRICS_PORT": str(self.ports["metrics"]),
            "QUEUE_DIRECTORY": str(self.folder / "queue"),
            **self._variables,
        }

    def is_ready(self) -> bool:
        """Whether its health check says so, which is when all pipelines run."""
        return self.get("health", "/")[0] == 200


def target_of(endpoint: str) -> str:
    """Return the host and port of an http:// endpoint, as a Collector's exporter wants them."""
    return endpoint.removeprefix("http://")
