"""The log records of an incident as OTLP logs, each with the ids of the span it was logged in.

For a backend of logs, besides the events they are of spans and lanes. The SDK's classes for them
are not settled: up to 1.38 an exporter takes `LogData`, later ones take `ReadableLogRecord`. They
are imported where log records are built: the import alone starts threads.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from typing import Any, Final

from opentelemetry import _logs as logs_api
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from otel_flight.delivery.otlp.origins import SharedScope, SpanOrigins
from otel_flight.delivery.otlp.runtime_attributes import own_attributes
from otel_flight.delivery.otlp.spans import incident_stamps
from otel_flight.delivery.otlp.values import portable_time_ns
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import log_attributes

_MOST_SCOPES: Final = 1024
"""The scopes of at most this many loggers are remembered, those used last."""
_SAID_ELSEWHERE: Final = (
    log_attributes.MESSAGE,
    log_attributes.LOGGER,
    log_attributes.SEVERITY,
    log_attributes.LEVEL,
)
"""These attributes become fields of their own of a log record."""


class LogBuilder:
    """Builds the log records of one incident as the official exporters take them.

    Args:
        manifest: of the incident.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._resource = SpanOrigins(manifest).own_resource
        self._stamps = incident_stamps(manifest)
        # The same object for the same logger: the official encoder groups by it.
        self._scope = functools.lru_cache(_MOST_SCOPES)(SharedScope)

    def build(self, event: WindowEvent) -> Any:
        """Return a record; its logger is the instrumentation scope, as the SDK's handler has it."""
        record = event.record
        said = record.attributes
        attributes = own_attributes(event)
        for key in list(attributes):
            if key.startswith(_SAID_ELSEWHERE):
                del attributes[key]
        level = said.get(log_attributes.LEVEL)
        make = _make_readable if hasattr(_sdk(), "ReadableLogRecord") else _make_data
        return make(
            {
                "timestamp": portable_time_ns(record.start_ns),
                "observed_timestamp": portable_time_ns(record.start_ns),
                "severity_text": str(said.get(log_attributes.SEVERITY, "")),
                "severity_number": _severity(level if isinstance(level, int) else 0),
                "body": str(said.get(log_attributes.MESSAGE, "")),
                "attributes": {**attributes, **self._stamps},
            },
            record.trace_id,
            record.span_id,
            self._resource,
            self._scope(str(said.get(log_attributes.LOGGER, ""))),
        )


def _severity(level: int) -> SeverityNumber:
    """Return OTLP's severity of a level of `logging`: four steps for each ten."""
    return SeverityNumber(min(max(1 + level * 4 // 10, 0), 24))


def _context(trace_id: int, span_id: int) -> Context:
    context = SpanContext(trace_id, span_id, is_remote=False)
    return set_span_in_context(NonRecordingSpan(context), Context())


def _make_readable(
    fields: dict[str, Any], trace_id: int, span_id: int, resource: Resource, scope: SharedScope
) -> Any:
    record = logs_api.LogRecord(context=_context(trace_id, span_id), **fields)
    return _sdk().ReadableLogRecord(record, resource, scope)


def _make_data(
    fields: dict[str, Any], trace_id: int, span_id: int, resource: Resource, scope: SharedScope
) -> Any:
    record_class = _sdk().LogRecord
    if "context" in inspect.signature(record_class.__init__).parameters:
        fields["context"] = _context(trace_id, span_id)
    else:
        fields |= {"trace_id": trace_id, "span_id": span_id, "trace_flags": 0}
    return _sdk().LogData(record_class(resource=resource, **fields), scope)


@functools.cache
def _sdk() -> Any:
    return importlib.import_module("opentelemetry.sdk._logs")
