"""A real Collector, run with one of the files in collector-config/ just as it lies there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, final

from tests.support.backends.collector_process import CollectorProcess

FILES: Final = Path(__file__).parents[3] / "collector-config"

_HOST: Final = "127.0.0.1"


@final
class ShippedCollector(CollectorProcess):
    """Run a Collector until the `with` block ends.

    Args:
        folder: for its output and its queue, which is found there again after a restart.
        file_name: of the file in collector-config/.
        variables: what the file needs to know besides its own addresses and its queue's directory.
    """

    def __init__(self, folder: Path, file_name: str, variables: Mapping[str, str]) -> None:
        path = FILES / file_name
        super().__init__(folder, lambda _: path.read_text("utf-8"), more_ports=("metrics",))
        self._variables = dict(variables)

    @property
    def target(self) -> str:
        """Its gRPC address in the notation of another Collector's endpoints."""
        return f"{_HOST}:{self.ports['grpc']}"

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


def target_of(endpoint: str) -> str:
    """Return the host and port of an http:// endpoint, as a Collector's exporter wants them."""
    return endpoint.removeprefix("http://")
