"""The signals of an incident, as OTLP calls them: its spans, and its log records.

OTLP sends each signal by itself, so each has its own exporters, its own progress and its own
failures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
)

Protocol = Literal["grpc", "http/protobuf"]


@dataclass(frozen=True, eq=False)
class Signal:
    """What is known of a signal: its names, and where the official exporters of it are.

    Attributes:
        item: what one piece of it is called.
        of_incident: what stands before an incident's id where this signal of it is meant.
        json_lines: what it is called as a file of OTLP-JSON.
        path: where a receiver takes it by HTTP.
        protocol_variable: the environment variable that names its protocol.
        modules: the modules of the exporters, by protocol.
        exporter: the name of their class.
        json_module: the module of the exporter to a file.
        json_exporter: the name of its class.
    """

    item: str
    of_incident: str
    json_lines: str
    path: str
    protocol_variable: str
    modules: Mapping[Protocol, str]
    exporter: str
    json_module: str
    json_exporter: str


SPANS: Final = Signal(
    item="span",
    of_incident="incident",
    json_lines="the OTLP-JSON copy of an incident",
    path="/v1/traces",
    protocol_variable=OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    modules={
        "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
        "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    },
    exporter="OTLPSpanExporter",
    json_module="opentelemetry.exporter.otlp.json.file.trace_exporter",
    json_exporter="FileSpanExporter",
)
LOGS: Final = Signal(
    item="log record",
    of_incident="the log records of incident",
    json_lines="the log records of an incident as OTLP-JSON",
    path="/v1/logs",
    protocol_variable=OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
    modules={
        "grpc": "opentelemetry.exporter.otlp.proto.grpc._log_exporter",
        "http/protobuf": "opentelemetry.exporter.otlp.proto.http._log_exporter",
    },
    exporter="OTLPLogExporter",
    json_module="opentelemetry.exporter.otlp.json.file._log_exporter",
    json_exporter="FileLogExporter",
)
