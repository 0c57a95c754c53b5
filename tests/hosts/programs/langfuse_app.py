"""The service of FastAPI with Langfuse, whose exporter reaches nobody."""

from __future__ import annotations

import logging

from fastapi_app import app
from langfuse import Langfuse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

import otel_flight

__all__ = ["app"]

logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
Langfuse(public_key="public", secret_key="secret", host="http://127.0.0.1:9")
otel_flight.install()
FastAPIInstrumentor.instrument_app(app)
