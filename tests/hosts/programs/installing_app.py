"""The service of FastAPI, which installs the recorder itself, when its server has handlers."""

from __future__ import annotations

from fastapi_app import app
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider

import otel_flight

__all__ = ["app"]

trace.set_tracer_provider(TracerProvider())
otel_flight.install()
FastAPIInstrumentor.instrument_app(app)
