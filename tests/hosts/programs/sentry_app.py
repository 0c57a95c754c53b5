"""The service of FastAPI with Sentry's span processor, whose transport reaches nobody."""

from __future__ import annotations

import sentry_sdk
from fastapi_app import app
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor

import otel_flight

__all__ = ["app"]

sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", traces_sample_rate=1.0, instrumenter="otel")
provider = TracerProvider()
provider.add_span_processor(SentrySpanProcessor())
trace.set_tracer_provider(provider)
otel_flight.install()
FastAPIInstrumentor.instrument_app(app)
