"""An exporter of the application's own says where incidents go, and how."""

from __future__ import annotations

from typing import Any, Final

import grpc
import pytest
import requests
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from otel_flight.assembly import Settings
from otel_flight.delivery.receiver.exporters import (
    Destination,
    build_exporter,
    destination,
    sends_where_incidents_go,
)
from otel_flight.delivery.receiver.pipeline_exporter import PipelineExporter, ask
from otel_flight.delivery.receiver.signals import LOGS, SPANS
from otel_flight.delivery.receiver.taps import session_of

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HTTP: Final = "http/protobuf"
CODE_HTTP = "http://code:4318/v1/traces"


def asked(exporter: SpanExporter) -> PipelineExporter:
    """Return what an exporter says that has to say something."""
    found = ask(exporter)
    assert found is not None
    return found


def test_what_is_set_in_code_is_found_and_used() -> None:
    """By HTTP: endpoint, headers, compression, timeout, and what its session has."""
    session = requests.Session()
    session.auth = ("user", "s3cret")
    theirs = HttpExporter(
        endpoint=CODE_HTTP,
        headers={"X-Tenant": "shop"},
        compression=Compression.Gzip,
        timeout=7,
        session=session,
        certificate_file="/certificate.pem",
    )
    ours: Any = build_exporter(SPANS, Settings(), None, asked(theirs))

    assert destination(SPANS, Settings(), asked(theirs)) == Destination("otlp", HTTP, CODE_HTTP)
    assert session_of(ours) is not session
    assert session_of(ours).auth == session.auth
    assert session_of(ours).verify == session_of(theirs).verify
    assert ours._endpoint == CODE_HTTP
    assert ours._compression == theirs._compression
    headers = {
        **session_of(ours).headers,
        **getattr(getattr(ours, "_client", None), "_headers", {}),
    }
    assert {key.lower(): value for key, value in headers.items()}["x-tenant"] == "shop"


def test_grpc_is_found_and_used() -> None:
    """With its credentials, headers, compression and timeout."""
    theirs: Any = GrpcExporter(
        endpoint="https://code:4317",
        credentials=grpc.ssl_channel_credentials(),
        headers={"x-tenant": "shop"},
        compression=grpc.Compression.Gzip,
        timeout=7,
    )
    ours: Any = build_exporter(SPANS, Settings(), None, asked(theirs))

    expected = Destination("otlp", "grpc", "https://code:4317")
    assert destination(SPANS, Settings(), asked(theirs)) == expected
    for name in ("_endpoint", "_insecure", "_credentials", "_compression", "_timeout"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ("x-tenant", "shop") in ours._headers
    for each in (ours, theirs):
        each.shutdown()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, CODE_HTTP),
        ({"protocol": HTTP}, CODE_HTTP),
        ({"export": "otlp"}, CODE_HTTP),
        ({"protocol": "grpc"}, ""),
        ({"export": "json"}, ""),
        ({"export": "off"}, ""),
        ({"endpoint": "http://own:4318"}, "http://own:4318"),
    ],
)
def test_a_setting_of_ours_wins(settings: dict[str, Any], expected: str) -> None:
    """It says that incidents go elsewhere."""
    theirs = HttpExporter(endpoint=CODE_HTTP)

    assert destination(SPANS, Settings(**settings), asked(theirs)).endpoint == expected
    is_there = sends_where_incidents_go(theirs, Settings(**settings), asked(theirs))
    assert is_there == (expected == CODE_HTTP)


def test_code_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does for the application's spans."""
    monkeypatch.setenv(ENDPOINT, "http://environment:4317")
    theirs = HttpExporter(endpoint=CODE_HTTP)

    assert destination(SPANS, Settings(), asked(theirs)).endpoint == CODE_HTTP
    assert destination(LOGS, Settings(), asked(theirs)).kind == "off"


@pytest.mark.parametrize("kind", [GrpcExporter, HttpExporter])
def test_what_the_environment_says_is_shown_as_it_stands_there(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a command, which knows no pipeline, goes on where a service stopped."""
    monkeypatch.setenv(ENDPOINT, "http://collector:1")
    theirs = kind()

    assert destination(SPANS, Settings(), asked(theirs)).endpoint == "http://collector:1"
    assert sends_where_incidents_go(theirs, Settings(), asked(theirs))
    assert sends_where_incidents_go(theirs, Settings(endpoint="http://collector:1"), None) == (
        kind is GrpcExporter
    )
    theirs.shutdown()


@pytest.mark.parametrize("kind", [GrpcExporter, HttpExporter])
def test_an_exporter_that_was_told_nothing_is_no_configuration(kind: Any) -> None:
    """There may be a collector on this machine, or nobody."""
    theirs = kind()

    assert destination(SPANS, Settings(), asked(theirs)) == Destination("json")
    assert destination(SPANS, Settings(export="otlp"), asked(theirs)).kind == "otlp"
    theirs.shutdown()


def test_other_exporters_are_not_asked() -> None:
    """A subclass may send something else, or somewhere else."""
    subclass: Any = type("Redacting", (HttpExporter,), {})

    assert ask(subclass(endpoint=CODE_HTTP)) is None
    assert ask(ConsoleSpanExporter()) is None
    assert not sends_where_incidents_go(
        subclass(endpoint=CODE_HTTP), Settings(), asked(HttpExporter(endpoint=CODE_HTTP))
    )


@pytest.mark.parametrize(
    ("name", "protocol"), [("otlp_proto_http", HTTP), ("console,otlp_proto_grpc", "grpc")]
)
def test_an_exporter_may_be_named_by_its_protocol(
    name: str, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As operators inject it, without a variable for the protocol."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", name)
    monkeypatch.setenv(ENDPOINT, "http://collector:4319")

    assert destination(SPANS, Settings()).protocol == protocol
