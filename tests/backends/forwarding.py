"""A Collector that forwards spans to a backend, in the variations that tests of failures need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

Ports = Mapping[str, int]
Options = Mapping[str, Any]
Protocol = Literal["grpc", "http/protobuf"]

PROTOCOLS: Final[tuple[Protocol, ...]] = ("grpc", "http/protobuf")
_NOTHING: Final[Options] = {}


def forwarding(
    ports: Ports,
    backend_port: int,
    *,
    grpc: Options = _NOTHING,
    http: Options = _NOTHING,
    processors: Mapping[str, Options] = _NOTHING,
    extensions: Mapping[str, Options] = _NOTHING,
) -> str:
    """Return a configuration that answers a request when the backend has answered it.

    What is acknowledged is in the backend then, however soon the Collector is killed; with its
    usual batches and queues that would be the Collector's own loss.

    Args:
        ports: of the Collector.
        backend_port: where the backend takes OTLP over gRPC, on this machine.
        grpc: more options of the receiver for gRPC.
        http: the same for HTTP.
        processors: by name, in the order they are to be in.
        extensions: more than the health check.
    """
    configuration = {
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"127.0.0.1:{ports['grpc']}", **grpc},
                    "http": {"endpoint": f"127.0.0.1:{ports['http']}", **http},
                }
            }
        },
        "processors": processors,
        "exporters": {
            "otlp": {
                "endpoint": f"127.0.0.1:{backend_port}",
                "tls": {"insecure": True},
                "sending_queue": {"enabled": False},
                "retry_on_failure": {"enabled": False},
            }
        },
        "extensions": {
            "health_check": {"endpoint": f"127.0.0.1:{ports['health']}"},
            **extensions,
        },
        "service": {
            "extensions": ["health_check", *extensions],
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": list(processors),
                    "exporters": ["otlp"],
                }
            },
            "telemetry": {"metrics": {"level": "none"}},
        },
    }
    return json.dumps(configuration, indent=2)  # which is YAML as well


def delivering_to(endpoint: str, protocol: Protocol) -> dict[str, str]:
    """Return the variables of a service that sends its incidents somewhere."""
    return {"OTEL_FLIGHT_ENDPOINT": endpoint, "OTEL_FLIGHT_PROTOCOL": protocol}
