"""Where the signals of incidents go, and the official exporters that take them there.

Headers, TLS, compression and timeouts are read from the `OTEL_EXPORTER_OTLP_*` variables by the
exporters themselves; only what they cannot know is decided here: which of them, and our overrides.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, Literal, cast
from urllib.parse import urlsplit

from opentelemetry.environment_variables import OTEL_TRACES_EXPORTER
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
)

from otel_flight.delivery.receiver.attempt import Exporter
from otel_flight.delivery.receiver.endpoints import port_of, shown_endpoint, with_path
from otel_flight.delivery.receiver.pipeline_exporter import (
    PipelineExporter,
    endpoint_of,
    protocol_of,
)
from otel_flight.delivery.receiver.signals import OTHERS, PROFILES, SPANS, Protocol, Signal
from otel_flight.delivery.receiver.taps import session_of
from otel_flight.delivery.wire.encoding_exporter import encoding_exporter
from otel_flight.errors import DeliveryFailed, MissingExtra
from otel_flight.settings.fields import CoreSettings

_logger = logging.getLogger("otel_flight")

_HTTP_PORT: Final = 4318
"""Receivers listen on this port for OTLP over HTTP, and on another one for gRPC."""
_DEFAULT_ENDPOINTS: Final[Mapping[Protocol, str]] = {
    "grpc": "http://localhost:4317",
    "http/protobuf": "http://localhost:4318",
}
_NAMED_EXPORTERS: Final[Mapping[str, Protocol]] = {
    "otlp_proto_http": "http/protobuf",
    "otlp_proto_grpc": "grpc",
}
"""`OTEL_TRACES_EXPORTER` may name an exporter by what it speaks, which wins over all variables."""
_HTTP_BOUNDS: Final = "otel_flight.delivery.receiver.http_bounds"
_IMPORTED_LATE: Final[Mapping[Protocol, Sequence[str]]] = {
    "grpc": ("grpc.experimental", "grpc._channel"),
    "http/protobuf": ("netrc", _HTTP_BOUNDS),
}
"""The exporters import these when one is made, or makes its first connection."""


@dataclass(frozen=True)
class Destination:
    """Where a signal goes besides the spool.

    Attributes:
        kind: `json` is the copy beside the incident's file, `exporter` one that the program made.
        protocol: of `otlp`.
        endpoint: of `otlp`, without credentials; for people, and to tell one backend from another.
            Of `exporter`, the name of its class.
    """

    kind: Literal["otlp", "json", "off", "exporter"]
    protocol: Protocol = "grpc"
    endpoint: str = ""


def is_endpoint_configured(settings: CoreSettings) -> bool:
    """Whether anything says where to send by OTLP; the exporters' default does not count."""
    return bool(_configured_endpoint(SPANS, settings))


def destination(
    signal: Signal, settings: CoreSettings, pipeline: PipelineExporter | None = None
) -> Destination:
    """Return where a signal goes, by the settings and the environment as it is now.

    Log records and profiles go nowhere unless a setting says where, and never to a file.

    Args:
        signal: what of the incidents.
        settings: which endpoint and protocol, if any.
        pipeline: what the application's own pipeline exports with, if that is known.
    """
    if settings.export == "off":
        return Destination("off")
    if pipeline is not None and _is_followed(signal, settings, pipeline):
        return Destination("otlp", pipeline.protocol, _shown_endpoint_of(pipeline, settings))
    endpoint = _configured_endpoint(signal, settings)
    if signal is not SPANS and not endpoint:
        return Destination("off")
    if signal is PROFILES:
        return Destination("otlp", "http/protobuf", shown_endpoint(endpoint))
    is_json = settings.export == "json" or (settings.export == "auto" and not endpoint)
    if signal is SPANS and is_json:
        return Destination("json")
    protocol = _protocol(signal, settings, endpoint)
    return Destination("otlp", protocol, shown_endpoint(endpoint or _DEFAULT_ENDPOINTS[protocol]))


def preload_all(settings: CoreSettings) -> None:
    """Import the exporters that will be needed, of all signals; see `preload`."""
    for signal in (SPANS, *OTHERS):
        preload(signal, settings)


def preload(signal: Signal, settings: CoreSettings) -> None:
    """Import the exporter that will be needed, without making one. Blocks for up to 0.2 s.

    To be called before there is an incident, during which the import would slow down requests.
    """
    target = destination(signal, settings)
    if target.kind == "json":
        _imported(signal.json_module, signal.json_exporter)
    elif target.kind == "otlp":
        _exporter_class(signal, target.protocol)
        for module in _IMPORTED_LATE[target.protocol]:
            _imported(module)


def build_exporter(
    signal: Signal,
    settings: CoreSettings,
    timeout_seconds: float | None = None,
    pipeline: PipelineExporter | None = None,
) -> Exporter:
    """Return a new official OTLP exporter; one of spans encodes recorded ones our way.

    Not before a fork: gRPC channels do not survive one.

    Args:
        signal: what it takes.
        settings: which endpoint and protocol.
        timeout_seconds: for each chunk; None: what the environment says.
        pipeline: what the application's own pipeline exports with, if that is known.

    Raises:
        DeliveryFailed: the exporter cannot be imported here.
        ValueError: a variable has a value the exporter does not take.
    """
    target = destination(signal, settings, pipeline)
    make = _exporter_class(signal, target.protocol)
    if make is None:
        why = f"{signal.modules[target.protocol]} cannot be imported"
        raise DeliveryFailed(target.endpoint, why)
    options: dict[str, Any] = {}
    is_followed = pipeline is not None and _is_followed(signal, settings, pipeline)
    if pipeline is not None and is_followed:
        options.update(pipeline.options)
    elif endpoint := _own_endpoint(signal, settings):
        is_http = target.protocol == "http/protobuf"
        options["endpoint"] = with_path(endpoint, signal.path) if is_http else endpoint
    if timeout_seconds is not None:
        options["timeout"] = max(1, int(timeout_seconds))
    exporter = cast("Exporter", make(**options))
    if pipeline is not None and is_followed:
        pipeline.complete(exporter)
    bound = _imported(_HTTP_BOUNDS, "bound_answers") if target.protocol != "grpc" else None
    if bound is not None:
        bound(session_of(exporter))
    return exporter


def build_json_exporter(signal: Signal, stream: IO[str]) -> Exporter:
    """Return the official exporter that writes OTLP-JSON lines to a text stream.

    Raises:
        MissingExtra: it is not installed.
    """
    make = _imported(signal.json_module, signal.json_exporter)
    if make is None:
        raise MissingExtra("json", signal.json_lines)
    return cast("Exporter", make(stream=stream))


def sends_where_incidents_go(
    exporter: object, settings: CoreSettings, pipeline: PipelineExporter | None
) -> bool:
    """Tell whether an official exporter sends spans to the same place as `build_exporter`'s.

    Args:
        exporter: any.
        settings: which endpoint and protocol incidents have, if any.
        pipeline: what the application's own pipeline exports with, if that is known.
    """
    target = destination(SPANS, settings, pipeline)
    if target.kind != "otlp" or protocol_of(exporter) != target.protocol:
        return False
    if pipeline is not None and _is_followed(SPANS, settings, pipeline):
        return endpoint_of(exporter) == pipeline.endpoint
    return endpoint_of(exporter) == _full_endpoint(target.protocol, settings)


def _is_followed(signal: Signal, settings: CoreSettings, pipeline: PipelineExporter) -> bool:
    """Tell whether spans go where the application's own go, for want of a setting of ours."""
    if signal is not SPANS or settings.endpoint or settings.export not in ("auto", "otlp"):
        return False
    if settings.protocol not in (None, pipeline.protocol):
        return False
    # What an exporter has when nobody told it anything is no configuration: a collector may be
    # there, or nobody.
    is_told = pipeline.endpoint != _full_endpoint(pipeline.protocol, settings)
    return is_told or settings.export == "otlp" or is_endpoint_configured(settings)


def _shown_endpoint_of(pipeline: PipelineExporter, settings: CoreSettings) -> str:
    """Return an endpoint as it is configured, if it is; else as the exporter has it."""
    configured = _configured_endpoint(SPANS, settings)
    if configured and pipeline.endpoint == _full_endpoint(pipeline.protocol, settings):
        return shown_endpoint(configured)
    is_bare = pipeline.protocol == "grpc"
    scheme = ("https://" if pipeline.is_encrypted else "http://") if is_bare else ""
    return shown_endpoint(scheme + pipeline.endpoint)


def _full_endpoint(protocol: Protocol, settings: CoreSettings) -> str:
    """Return where an exporter of spans sends that is told nothing but our settings."""
    endpoint = _configured_endpoint(SPANS, settings) or _DEFAULT_ENDPOINTS[protocol]
    if protocol == "grpc":
        return urlsplit(endpoint).netloc or endpoint
    if settings.endpoint:
        return with_path(endpoint, SPANS.path)
    is_whole = os.environ.get(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, "").strip()
    return endpoint if is_whole else endpoint.rstrip("/") + SPANS.path


def _own_endpoint(signal: Signal, settings: CoreSettings) -> str:
    if signal is PROFILES:
        return settings.profiles_endpoint or ""
    return (settings.endpoint if signal is SPANS else settings.logs_endpoint) or ""


def _configured_endpoint(signal: Signal, settings: CoreSettings) -> str:
    """Return what our settings name; of spans also what OpenTelemetry's variables name."""
    named = [_own_endpoint(signal, settings)]
    if signal is SPANS:
        variables = (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT)
        named += [os.environ.get(variable, "").strip() for variable in variables]
    return next(filter(None, named), "")


def _protocol(signal: Signal, settings: CoreSettings, endpoint: str) -> Protocol:
    if settings.protocol:
        return settings.protocol
    if signal is SPANS:
        for name, protocol in _NAMED_EXPORTERS.items():
            if name in os.environ.get(OTEL_TRACES_EXPORTER, ""):
                return protocol
    for variable in (signal.protocol_variable, OTEL_EXPORTER_OTLP_PROTOCOL):
        named = os.environ.get(variable, "").strip().lower()
        if named == "grpc":
            return "grpc"
        if named.startswith("http/"):  # a backend that takes http/json takes protobuf as well
            return "http/protobuf"
    return "http/protobuf" if port_of(endpoint) == _HTTP_PORT else "grpc"


def _exporter_class(signal: Signal, protocol: Protocol) -> Callable[..., Any] | None:
    found = _imported(signal.modules[protocol], signal.exporter)
    return encoding_exporter(found) if found is not None and signal is SPANS else found


def _imported(module: str, name: str = "") -> Callable[..., Any] | None:
    # Not imported at the top: gRPC alone takes 0.2 s and 20 MB, also where it is never used.
    try:
        found = importlib.import_module(module)
        return cast("Callable[..., Any]", getattr(found, name)) if name else None
    except (ImportError, AttributeError) as error:
        _logger.debug("otel-flight cannot use %s: %s", module, error)
        return None
