"""The signals of an incident, as OTLP calls them: its spans, log records and profiles.

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

from otel_flight.incidents.spool.directory import (
    LOGS_STATE_SUFFIX,
    PROFILES_STATE_SUFFIX,
    STATE_SUFFIX,
)

Protocol = Literal["grpc", "http/protobuf"]


@dataclass(frozen=True, eq=False)
class Signal:
    """What is known of a signal: its names, and where the official exporters of it are.

    Attributes:
        item: what one piece of it is called.
        of_incident: what stands before an incident's id where this signal of it is meant.
        state_suffix: of the file beside an incident that says how far its delivery is.
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
    state_suffix: str
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
    state_suffix=STATE_SUFFIX,
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
    state_suffix=LOGS_STATE_SUFFIX,
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
PROFILES: Final = Signal(
    item="profile",
    of_incident="the profiles of incident",
    state_suffix=PROFILES_STATE_SUFFIX,
    json_lines="",
    path="/v1development/profiles",
    protocol_variable="",
    modules={"http/protobuf": "otel_flight.delivery.receiver.profile_exporter"},
    exporter="ProfileExporter",
    json_module="",
    json_exporter="",
)
"""This signal is in development: it goes by HTTP only, and has no file of OTLP-JSON."""
OTHERS: Final = (LOGS, PROFILES)
"""These go out after the spans, where a setting says where to."""
