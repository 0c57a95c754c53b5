"""One call of an exporter, with everything that foreign code could do to us caught."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_flight.delivery.exporter_log import overheard_exporters
from otel_flight.delivery.pacing import PacedSpans

_LONGEST_REASON: Final = 300
# The first two are private names; the plain ones are what old instrumentations look for.
_SUPPRESSING_KEYS: Final = (
    getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"),
    getattr(otel_context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation"),
    "suppress_instrumentation",
    "suppress_http_instrumentation",
)


@contextmanager
def suppressed_instrumentation() -> Iterator[None]:
    """Let nothing on this thread become a span: our own requests are not the application's."""
    context = otel_context.get_current()
    for key in _SUPPRESSING_KEYS:
        context = otel_context.set_value(key, True, context)
    token = otel_context.attach(context)
    try:
        yield
    finally:
        otel_context.detach(token)


def failure_of(exporter: SpanExporter, chunk: PacedSpans) -> str:
    """Export a chunk; return why that failed, empty when it did not. Never raises."""
    with overheard_exporters() as log, suppressed_instrumentation():
        try:
            if exporter.export(chunk) is SpanExportResult.SUCCESS:
                return ""
        except Exception as error:  # noqa: BLE001  (foreign code; old exporters raise on refusal)
            return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
    return log.last_message
