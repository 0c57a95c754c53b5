"""Taps the log of the official exporters: they return no reason for a failure, they only log it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from otel_flight.ground.native import get_ident

_LOGGERS: Final = (
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.json.file.trace_exporter",
)
_LONGEST_MESSAGE: Final = 300
_UNKNOWN: Final = "the exporter reported a failure without a reason"


class ExporterLog(logging.Filter):
    """Remembers the last warning that the official exporters logged on the thread that made it.

    A filter and not a handler: a handler would silence Python's own last resort, which prints
    warnings where logging is not configured.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread_id = get_ident()
        self.last_message = _UNKNOWN

    def filter(self, record: logging.LogRecord) -> bool:
        """Remember the record's message; let it pass."""
        if record.levelno >= logging.WARNING and get_ident() == self._thread_id:
            self.last_message = " ".join(record.getMessage().split())[:_LONGEST_MESSAGE]
        return True


@contextmanager
def tap_log() -> Iterator[ExporterLog]:
    """Listen to the official exporters on this thread."""
    listener = ExporterLog()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        # First of all: an exporter's own filter swallows what it has said before.
        logger.filters.insert(0, listener)
    try:
        yield listener
    finally:
        for logger in loggers:
            logger.removeFilter(listener)
