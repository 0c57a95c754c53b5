"""OpenTelemetry as vendors bring it: with providers, samplers and processors of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tests.hosts.described.uvicorn import INCIDENTS
from tests.hosts.host import Host
from tests.hosts.visit import serve

_NOWHERE: Final = "http://127.0.0.1:9"


def _host(
    name: str, distribution: str, *, command: str, environment: Mapping[str, str] | None = None
) -> Host:
    return Host(
        name=name,
        section="Vendors' packages for OpenTelemetry, with FastAPI",
        command=f"{command} --port {{port}}",
        packages=(distribution, "fastapi", "opentelemetry-sdk"),
        instrumentations=("asgi", "fastapi"),
        traffic=serve,
        incidents=INCIDENTS,
        environment=environment or {},
        says=("otel-flight keeps incidents on this machine: .* does not say where it sends",),
        is_apart=True,
    )


def _by_variables(
    name: str, distribution: str, environment: Mapping[str, str] | None = None
) -> Host:
    return _host(
        name,
        distribution,
        command="opentelemetry-instrument uvicorn fastapi_app:app",
        environment=environment,
    )


def _in_code(
    name: str, distribution: str, program: str, environment: Mapping[str, str] | None = None
) -> Host:
    return _host(name, distribution, command=f"uvicorn {program}:app", environment=environment)


_AWS: Final = {
    "OTEL_PYTHON_DISTRO": "aws_distro",
    "OTEL_PYTHON_CONFIGURATOR": "aws_configurator",
}

HOSTS: Final[Sequence[Host]] = [
    _by_variables("Splunk", "splunk-opentelemetry"),
    _by_variables("Elastic", "elastic-opentelemetry"),
    _by_variables("AWS", "aws-opentelemetry-distro", _AWS),
    _by_variables(
        "AWS, application signals",
        "aws-opentelemetry-distro",
        {
            **_AWS,
            "OTEL_AWS_APPLICATION_SIGNALS_ENABLED": "true",
            "OTEL_AWS_APPLICATION_SIGNALS_EXPORTER_ENDPOINT": _NOWHERE,
            "OTEL_TRACES_SAMPLER": "traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.01",
        },
    ),
    _in_code(
        "Azure Monitor",
        "azure-monitor-opentelemetry",
        "azure_monitor_app",
        {"OTEL_TRACES_EXPORTER": ""},  # "none" would be no tracing
    ),
    _in_code("Logfire", "logfire", "logfire_app"),
    _in_code("Sentry", "sentry-sdk", "sentry_app"),
    _in_code("Langfuse", "langfuse", "langfuse_app"),
]
