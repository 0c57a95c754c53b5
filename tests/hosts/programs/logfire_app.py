"""The service of FastAPI with Logfire, which wraps the SDK's provider and sends nothing."""

from __future__ import annotations

import logfire
from fastapi_app import app

import otel_flight

__all__ = ["app"]

logfire.configure(send_to_logfire=False, console=False)
otel_flight.install()
logfire.instrument_fastapi(app)
