"""The service of FastAPI with Azure Monitor's distribution, whose exporters reach nobody."""

from __future__ import annotations

import logging

from azure.monitor.opentelemetry import configure_azure_monitor
from fastapi_app import app
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

import otel_flight

__all__ = ["app"]

logging.getLogger("azure").setLevel(logging.CRITICAL + 1)
configure_azure_monitor(
    connection_string=(
        "InstrumentationKey=00000000-0000-0000-0000-000000000000;"
        "IngestionEndpoint=http://127.0.0.1:9/;LiveEndpoint=http://127.0.0.1:9/"
    ),
    disable_offline_storage=True,
)
otel_flight.install()
FastAPIInstrumentor.instrument_app(app)
