"""Where incidents go, and the official exporter that takes them there.

Headers, TLS, compression and timeouts are read from the `OTEL_EXPORTER_OTLP_*` variables by the
exporters themselves; only what they cannot know is decided here: which of them, and our overrides.
"""

from __future__ import annotations

# The SDK's fork hook uses a thread pool. It deadlocks every forked child when the pool's own fork
# hook was registered after the tracer provider's, so before an exporter's import could do that.
import concurrent.futures.thread  # noqa: F401
import importlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
)
from opentelemetry.sdk.trace.export import SpanExporter

from otel_flight.delivery.receiver.attempt import Exporter
from otel_flight.delivery.wire.encoding_exporter import encoding_exporter
from otel_flight.errors import DeliveryFailed, MissingExtra
from otel_flight.settings.fields import CoreSettings

_logger = logging.getLogger("otel_flight")

Protocol = Literal["grpc", "http/protobuf"]

_HTTP_PORT: Final = 4318
_TRACES_PATH: Final = "/v1/traces"
_LOGS_PATH: Final = "/v1/logs"
_DEFAULT_ENDPOINTS: Final[Mapping[Protocol, str]] = {
    "grpc": "http://localhost:4317",
    "http/protobuf": "http://localhost:4318",
}
_MODULES: Final[Mapping[Protocol, str]] = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
}
_LOG_MODULES: Final[Mapping[Protocol, str]] = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc._log_exporter",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http._log_exporter",
}
_IMPORTED_LATE: Final[Mapping[Protocol, Sequence[str]]] = {
    "grpc": ("grpc.experimental", "grpc._channel"),
    "http/protobuf": ("requests", "netrc"),
}
"""What the exporters import when one is made, or makes its first connection."""
_JSON_MODULE: Final = "opentelemetry.exporter.otlp.json.file.trace_exporter"
_JSON_LOG_MODULE: Final = "opentelemetry.exporter.otlp.json.file._log_exporter"


@dataclass(frozen=True)
class Destination:
    """Where incidents go besides the spool.

    Attributes:
        kind: `json` is the copy beside the incident's file.
        protocol: of `otlp`.
        endpoint: of `otlp`, without credentials; for people, and to tell one backend from another.
    """

    kind: Literal["otlp", "json", "off"]
    protocol: Protocol = "grpc"
    endpoint: str = ""


def is_endpoint_configured(settings: CoreSettings) -> bool:
    """Whether anything says where to send by OTLP; the exporters' default does not count."""
    return bool(_configured_endpoint(settings))


def destination(settings: CoreSettings) -> Destination:
    """Return where incidents go, by the settings and the environment as it is now."""
    if settings.export == "off":
        return Destination("off")
    endpoint = _configured_endpoint(settings)
    if settings.export == "json" or (settings.export == "auto" and not endpoint):
        return Destination("json")
    protocol = _protocol(settings, endpoint, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL)
    return Destination("otlp", protocol, _shown(endpoint or _DEFAULT_ENDPOINTS[protocol]))


def logs_destination(settings: CoreSettings) -> Destination:
    """Return where the log records of incidents go besides, which only a setting says."""
    endpoint = settings.logs_endpoint
    if endpoint is None or settings.export == "off":
        return Destination("off")
    protocol = _protocol(settings, endpoint, OTEL_EXPORTER_OTLP_LOGS_PROTOCOL)
    return Destination("otlp", protocol, _shown(endpoint))


def preload(settings: CoreSettings) -> None:
    """Import the exporter that will be needed, without making one. Blocks for up to 0.2 s.

    To be called when the service starts: the import would slow down requests during an incident.
    """
    target = destination(settings)
    if target.kind == "otlp":
        make = _exporter_class(_MODULES[target.protocol], "OTLPSpanExporter")
        if make is not None:
            encoding_exporter(make)
        _import_late_ones(target.protocol)
    elif target.kind == "json":
        _exporter_class(_JSON_MODULE, "FileSpanExporter")
    logs = logs_destination(settings)
    if logs.kind == "otlp":
        _exporter_class(_LOG_MODULES[logs.protocol], "OTLPLogExporter")
        _import_late_ones(logs.protocol)


def build_exporter(settings: CoreSettings, timeout_seconds: float | None = None) -> SpanExporter:
    """Return a new official OTLP exporter, encoding recorded spans our way.

    Not before a fork: gRPC channels do not survive one.

    Args:
        settings: which endpoint and protocol.
        timeout_seconds: for each chunk; None: what the environment says.

    Raises:
        DeliveryFailed: the exporter cannot be imported here.
        ValueError: a variable has a value the exporter does not take.
    """
    target = destination(settings)
    make = _exporter_class(_MODULES[target.protocol], "OTLPSpanExporter")
    if make is None:
        raise DeliveryFailed(target.endpoint, f"{_MODULES[target.protocol]} cannot be imported")
    options = _options(settings.endpoint, target.protocol, _TRACES_PATH, timeout_seconds)
    return encoding_exporter(make)(**options)


def build_log_exporter(settings: CoreSettings, timeout_seconds: float | None = None) -> Exporter:
    """Return a new official OTLP exporter of log records; otherwise as `build_exporter`.

    Raises:
        DeliveryFailed: the exporter cannot be imported here.
        ValueError: a variable has a value the exporter does not take.
    """
    target = logs_destination(settings)
    make = _exporter_class(_LOG_MODULES[target.protocol], "OTLPLogExporter")
    if make is None:
        raise DeliveryFailed(target.endpoint, f"{_LOG_MODULES[target.protocol]} cannot be imported")
    options = _options(settings.logs_endpoint, target.protocol, _LOGS_PATH, timeout_seconds)
    return cast("Exporter", make(**options))


def _options(
    endpoint: str | None, protocol: Protocol, path: str, timeout_seconds: float | None
) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if endpoint:
        is_http = protocol == "http/protobuf"
        options["endpoint"] = _signal_endpoint(endpoint, path) if is_http else endpoint
    if timeout_seconds is not None:
        options["timeout"] = max(1, int(timeout_seconds))
    return options


def build_json_exporter(stream: IO[str]) -> SpanExporter:
    """Return the official exporter that writes OTLP-JSON lines to a text stream.

    Raises:
        MissingExtra: it is not installed.
    """
    make = _exporter_class(_JSON_MODULE, "FileSpanExporter")
    if make is None:
        raise MissingExtra("json", "the OTLP-JSON copy of an incident")
    return cast("SpanExporter", make(stream=stream))


def build_json_log_exporter(stream: IO[str]) -> Exporter:
    """Return the official exporter that writes log records so; otherwise the same.

    Raises:
        MissingExtra: it is not installed.
    """
    make = _exporter_class(_JSON_LOG_MODULE, "FileLogExporter")
    if make is None:
        raise MissingExtra("json", "the log records of an incident as OTLP-JSON")
    return cast("Exporter", make(stream=stream))


def _configured_endpoint(settings: CoreSettings) -> str:
    variables = (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT)
    found = (os.environ.get(variable, "").strip() for variable in variables)
    return settings.endpoint or next(filter(None, found), "")


def _protocol(settings: CoreSettings, endpoint: str, signal_variable: str) -> Protocol:
    if settings.protocol:
        return settings.protocol
    for variable in (signal_variable, OTEL_EXPORTER_OTLP_PROTOCOL):
        named = os.environ.get(variable, "").strip().lower()
        if named == "grpc":
            return "grpc"
        if named.startswith("http/"):  # a backend that takes http/json takes protobuf as well
            return "http/protobuf"
    return "http/protobuf" if _port(endpoint) == _HTTP_PORT else "grpc"


def _port(endpoint: str) -> int | None:
    try:
        return urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").port
    except ValueError:
        return None


def _signal_endpoint(endpoint: str, path: str) -> str:
    """Return where the HTTP exporter sends: it takes an endpoint it is given as it is."""
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(path=path)) if parts.path in ("", "/") else endpoint


def _shown(endpoint: str) -> str:
    """Return the endpoint without user, password and query, which may hold secrets."""
    parts = urlsplit(endpoint)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))


def _import_late_ones(protocol: Protocol) -> None:
    for module in _IMPORTED_LATE[protocol]:
        try:
            importlib.import_module(module)
        except ImportError as error:
            _logger.debug("otel-flight cannot import %s: %s", module, error)


def _exporter_class(module: str, name: str) -> Callable[..., Any] | None:
    # Not imported at the top: gRPC alone takes 0.2 s and 20 MB, also where it is never used.
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        _logger.debug("otel-flight cannot use %s: %s", module, error)
        return None
    return found
