"""Sends OTLP profiles by HTTP: no official exporter does that yet.

Of OpenTelemetry's variables only those count that are for all signals: what is secret for the spans
is not for whoever takes the profiles.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from typing import Final

import requests
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_CERTIFICATE,
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE,
    OTEL_EXPORTER_OTLP_CLIENT_KEY,
    OTEL_EXPORTER_OTLP_COMPRESSION,
    OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_TIMEOUT,
)
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.util.re import parse_env_headers

from otel_flight.delivery.profiles.chunks import SampledWindow
from otel_flight.delivery.profiles.otlp_profiles import request_of

_USUAL_SECONDS: Final = 10.0


class ProfileExporter:
    """Sends a request for each window.

    Args:
        endpoint: the whole address.
        timeout: of each request, in seconds; None: what the environment says.

    Raises:
        ValueError: the timeout of the environment is no number.
    """

    def __init__(self, endpoint: str, timeout: float | None = None) -> None:
        self._endpoint = endpoint
        self._timeout = timeout or float(_variable(OTEL_EXPORTER_OTLP_TIMEOUT) or _USUAL_SECONDS)
        self._is_compressed = _variable(OTEL_EXPORTER_OTLP_COMPRESSION) == "gzip"
        self._session = requests.Session()
        headers = parse_env_headers(_variable(OTEL_EXPORTER_OTLP_HEADERS), liberal=True)
        self._session.headers.update({**headers, "Content-Type": "application/x-protobuf"})
        if self._is_compressed:
            self._session.headers["Content-Encoding"] = "gzip"
        self._session.verify = _variable(OTEL_EXPORTER_OTLP_CERTIFICATE) or True
        if certificate := _variable(OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE):
            self._session.cert = (certificate, _variable(OTEL_EXPORTER_OTLP_CLIENT_KEY))

    def export(self, batch: Iterable[SampledWindow], /) -> SpanExportResult:
        """Send the windows one after another; blocks."""
        for window in batch:
            data = request_of([window])
            body = gzip.compress(data) if self._is_compressed else data
            if not self._session.post(self._endpoint, data=body, timeout=self._timeout).ok:
                return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._session.close()


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()
