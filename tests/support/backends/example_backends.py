"""A Jaeger, a Tempo and a Collector, started with the files of the example of two services."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.backends.backend_process import BackendProcess
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.backends.tempo_process import TempoProcess

EXAMPLE: Final = Path(__file__).parents[3] / "examples" / "two_services"
GATEWAY: Final = EXAMPLE.parents[1] / "collector-config" / "gateway.yaml"
HOST: Final = "127.0.0.1"


class ExampleJaeger(JaegerProcess):
    """Jaeger, started with the example's file."""

    port_names: tuple[str, ...] = ("grpc", "query", "query_grpc")

    def configuration(self) -> str:
        """Return the file as it is."""
        return (EXAMPLE / "jaeger.yaml").read_text()

    def environment(self) -> Mapping[str, str]:
        """Return the variables the file names."""
        return {
            "JAEGER_HOST": HOST,
            "JAEGER_GRPC_PORT": str(self.ports["grpc"]),
            "JAEGER_QUERY_PORT": str(self.ports["query"]),
            "JAEGER_QUERY_GRPC_PORT": str(self.ports["query_grpc"]),
        }

    def is_ready(self) -> bool:
        """Whether its query API answers."""
        return self.services() is not None


class ExampleTempo(TempoProcess):
    """Tempo, started with the example's file."""

    port_names: tuple[str, ...] = ("grpc", "query", "internal", "members")

    def configuration(self) -> str:
        """Return the file as it is."""
        return (EXAMPLE / "tempo.yaml").read_text()

    def arguments(self, configuration_path: Path) -> list[str]:
        """Return Tempo's arguments, as the example's page has them."""
        return [f"-config.file={configuration_path}", "-config.expand-env=true"]

    def environment(self) -> Mapping[str, str]:
        """Return the variables the file names."""
        return {
            "TEMPO_HOST": HOST,
            "TEMPO_DIRECTORY": str(self.folder),
            "TEMPO_GRPC_PORT": str(self.ports["grpc"]),
            "TEMPO_QUERY_PORT": str(self.ports["query"]),
            "TEMPO_INTERNAL_PORT": str(self.ports["internal"]),
            "TEMPO_MEMBERS_PORT": str(self.ports["members"]),
        }


class ExampleCollector(BackendProcess):
    """The gateway, with the example's file laid over it."""

    name = "collector"
    port_names: tuple[str, ...] = ("grpc", "http", "health", "metrics")

    def __init__(self, folder: Path, jaeger: JaegerProcess, tempo: TempoProcess) -> None:
        super().__init__(folder)
        self._backends = {
            "BACKEND_ENDPOINT": f"{HOST}:{jaeger.ports['grpc']}",
            "TEMPO_ENDPOINT": f"{HOST}:{tempo.ports['grpc']}",
        }

    def configuration(self) -> str:
        """Return the gateway's file as it is."""
        return GATEWAY.read_text()

    def arguments(self, configuration_path: Path) -> list[str]:
        """Return the Collector's arguments, as the example's page has them."""
        overlay = EXAMPLE / "to-jaeger-and-tempo.yaml"
        return ["--config", str(configuration_path), "--config", str(overlay)]

    def environment(self) -> Mapping[str, str]:
        """Return the variables the files name."""
        return {
            **self._backends,
            "COLLECTOR_HOST": HOST,
            "COLLECTOR_GRPC_PORT": str(self.ports["grpc"]),
            "COLLECTOR_HTTP_PORT": str(self.ports["http"]),
            "COLLECTOR_HEALTH_PORT": str(self.ports["health"]),
            "COLLECTOR_METRICS_PORT": str(self.ports["metrics"]),
            "QUEUE_DIRECTORY": str(self.folder / "queue"),
        }

    def is_ready(self) -> bool:
        """Whether its health check says so."""
        return self.get("health", "/")[0] == 200
