"""Where incidents go follows from our settings first, then from OpenTelemetry's own variables."""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import Any, Final

import pytest
from opentelemetry.sdk.trace.export import SpanExporter

from otel_flight.assembly import Settings
from otel_flight.delivery.receiver.exporters import (
    Destination,
    build_exporter,
    build_json_exporter,
    destination,
    is_endpoint_configured,
    preload,
)
from otel_flight.delivery.receiver.log import tap_log
from otel_flight.delivery.receiver.signals import LOGS, SPANS
from otel_flight.errors import DeliveryFailed, MissingExtra
from tests.support.processes.service_process import ServiceProcess
from tests.support.receivers.otlp_receiver import OtlpReceiver

JSON_MODULE = "opentelemetry.exporter.otlp.json.file.trace_exporter"
GRPC_MODULE = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
LOGS_PROTOCOL = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"
HTTP: Final = "http/protobuf"


@pytest.mark.parametrize(
    ("settings", "environment", "expected"),
    [
        ({}, {}, Destination("json")),
        ({"export": "off"}, {ENDPOINT: "http://c:4317"}, Destination("off")),
        ({"export": "json"}, {ENDPOINT: "http://c:4317"}, Destination("json")),
        ({"export": "otlp"}, {}, Destination("otlp", "grpc", "http://localhost:4317")),
        (
            {"export": "otlp", "protocol": HTTP},
            {},
            Destination("otlp", HTTP, "http://localhost:4318"),
        ),
        ({}, {ENDPOINT: "http://c:4317"}, Destination("otlp", "grpc", "http://c:4317")),
        ({}, {ENDPOINT: "http://c:4318"}, Destination("otlp", HTTP, "http://c:4318")),
        ({}, {ENDPOINT: " "}, Destination("json")),
        (
            {},
            {ENDPOINT: "http://c:1", TRACES_ENDPOINT: "http://t:2/v1/traces"},
            Destination("otlp", "grpc", "http://t:2/v1/traces"),
        ),
        (
            {"endpoint": "http://own:3"},
            {ENDPOINT: "http://c:1", TRACES_ENDPOINT: "http://t:2"},
            Destination("otlp", "grpc", "http://own:3"),
        ),
        (
            {},
            {ENDPOINT: "http://c:4318", PROTOCOL: "grpc"},
            Destination("otlp", "grpc", "http://c:4318"),
        ),
        (
            {},
            {ENDPOINT: "http://c:1", PROTOCOL: "grpc", TRACES_PROTOCOL: HTTP},
            Destination("otlp", HTTP, "http://c:1"),
        ),
        (
            {"protocol": "grpc"},
            {ENDPOINT: "http://c:1", TRACES_PROTOCOL: HTTP},
            Destination("otlp", "grpc", "http://c:1"),
        ),
        (
            {},
            {ENDPOINT: "http://c:1", PROTOCOL: "http/json"},
            Destination("otlp", HTTP, "http://c:1"),
        ),
        ({}, {ENDPOINT: "c:4318"}, Destination("otlp", HTTP, "c:4318")),
        (
            {"endpoint": "http://user:secret@own:3/x?token=secret"},
            {},
            Destination("otlp", "grpc", "http://own:3/x"),
        ),
        ({}, {ENDPOINT: "user:secret@c:4317"}, Destination("otlp", "grpc", "c:4317")),
    ],
)
def test_destination(
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    environment: dict[str, str],
    expected: Destination,
) -> None:
    """Setting, then the variable for traces, then the general one, then what the port says."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert destination(SPANS, Settings(**settings)) == expected


@pytest.mark.parametrize(
    ("settings", "environment", "expected"),
    [
        ({}, {ENDPOINT: "http://c:4317"}, Destination("off")),
        ({"logs_endpoint": "http://l:1", "export": "off"}, {}, Destination("off")),
        ({"logs_endpoint": "http://l:1"}, {}, Destination("otlp", "grpc", "http://l:1")),
        ({"logs_endpoint": "http://l:4318"}, {}, Destination("otlp", HTTP, "http://l:4318")),
        (
            {"logs_endpoint": "http://u:secret@l:1/v1/logs?key=secret", "export": "json"},
            {LOGS_PROTOCOL: HTTP, PROTOCOL: "grpc", TRACES_PROTOCOL: "grpc"},
            Destination("otlp", HTTP, "http://l:1/v1/logs"),
        ),
        (
            {"logs_endpoint": "http://l:1", "protocol": HTTP},
            {LOGS_PROTOCOL: "grpc"},
            Destination("otlp", HTTP, "http://l:1"),
        ),
    ],
)
def test_log_records_go_where_a_setting_says(
    settings: dict[str, Any],
    environment: dict[str, str],
    expected: Destination,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And nowhere without it; how, their own variable says before the common one."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert destination(LOGS, Settings(**settings)) == expected


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [("http://l:4318", "http://l:4318/v1/logs"), ("http://l:4318/own", "http://l:4318/own")],
)
def test_the_logs_endpoint_gets_the_path(endpoint: str, expected: str) -> None:
    """As the exporter would add it to a common endpoint; a path that is given stays."""
    exporter: Any = build_exporter(LOGS, Settings(logs_endpoint=endpoint), 3.0)

    assert exporter._endpoint == expected
    exporter.shutdown()


def test_the_exporters_default_is_no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what somebody has said counts."""
    assert not is_endpoint_configured(Settings())
    assert is_endpoint_configured(Settings(endpoint="http://own:1"))
    monkeypatch.setenv(TRACES_ENDPOINT, "http://t:2")
    assert is_endpoint_configured(Settings())


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://own:4318", "http://own:4318/v1/traces"),
        ("http://own:4318/", "http://own:4318/v1/traces"),
        ("http://own:4318?key=1", "http://own:4318/v1/traces?key=1"),
        ("http://own:4318/custom", "http://own:4318/custom"),
    ],
)
def test_our_http_endpoint_gets_the_path(endpoint: str, expected: str) -> None:
    """It is a base as in OTEL_EXPORTER_OTLP_ENDPOINT, unless it has a path."""
    exporter: Any = build_exporter(SPANS, Settings(endpoint=endpoint))

    assert exporter._endpoint == expected
    exporter.shutdown()


def test_a_deadline_overrides_the_configured_timeout() -> None:
    """When the process is about to end, no chunk may take longer than what is left."""
    settings = Settings(endpoint="http://own:4317")
    exporter: Any = build_exporter(SPANS, settings, timeout_seconds=3.5)

    assert exporter._timeout == 3
    exporter.shutdown()


def test_an_exporter_that_cannot_be_imported_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where grpcio has no build for the machine; the incident stays in the spool."""
    monkeypatch.setitem(sys.modules, GRPC_MODULE, None)

    with pytest.raises(DeliveryFailed, match="cannot be imported"):
        build_exporter(SPANS, Settings(endpoint="http://own:4317"))


def test_a_missing_json_exporter_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is an extra, as it needs a recent SDK."""
    monkeypatch.setitem(sys.modules, JSON_MODULE, None)

    with pytest.raises(MissingExtra, match=r"otel-flight\[json\]"):
        build_json_exporter(SPANS, io.StringIO())


@pytest.mark.parametrize("settings", [{}, {"export": "off"}, {"endpoint": "http://own:4317"}])
def test_preloading_makes_nothing(settings: dict[str, Any]) -> None:
    """It only imports, also where there is nothing to import."""
    threads = threading.active_count()

    preload(SPANS, Settings(**settings))

    assert threading.active_count() == threads


_IMPORTED_LATE: Final = """
import sys
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext
from otel_flight.delivery.receiver.exporters import build_exporter, preload
from otel_flight.delivery.receiver.signals import SPANS
from otel_flight.assembly import Settings
settings = Settings(export="otlp", endpoint=sys.argv[1], protocol=sys.argv[2])
preload(SPANS, settings)
before = set(sys.modules)
exporter = build_exporter(SPANS, settings)
exporter.export([ReadableSpan("work", SpanContext(1, 2, False), start_time=1, end_time=2)])
exporter.shutdown()
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("protocol", ["grpc", HTTP])
def test_nothing_is_left_to_import_during_an_incident(protocol: Any) -> None:
    """Importing takes up to 0.2 s, and makes the host collect all of its garbage."""
    with OtlpReceiver() as receiver:
        arguments = ["-c", _IMPORTED_LATE, receiver.endpoint(protocol), protocol]
        with ServiceProcess(arguments) as process:
            assert process.wait() == 0, process.output()
            imported = process.output()

    assert imported.split() == []
    assert [item.span.name for item in receiver.spans()] == ["work"]


def test_why_an_export_failed_is_overheard() -> None:
    """The last warning of an official exporter on this thread; every message goes on its way."""
    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter")
    filters = list(logger.filters)

    with tap_log() as log:
        unknown = log.last_message
        logger.warning("Transient error %s\n  encountered", "UNAVAILABLE")
        logger.debug("not this")
        other = threading.Thread(target=logger.error, args=("somebody else's",))
        other.start()
        other.join()

    assert "without a reason" in unknown
    assert log.last_message == "Transient error UNAVAILABLE encountered"
    assert logger.filters == filters


def test_official_exporters_are_span_exporters() -> None:
    """What is built is what the SDK's own processors would call."""
    grpc = build_exporter(SPANS, Settings(endpoint="http://own:1", protocol="grpc"))
    http = build_exporter(SPANS, Settings(endpoint="http://own:1", protocol=HTTP))

    assert isinstance(grpc, SpanExporter)
    assert isinstance(http, SpanExporter)
    grpc.shutdown()
    http.shutdown()
