"""Whether sampled spans are exported by another processor, so that we need not send them again."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_flight.interpreter.sdk_pipeline import exporter_of, processors_in

_NOT_A_BACKEND: Final = (ConsoleSpanExporter, InMemorySpanExporter)


def is_exporting(pipeline: Any) -> bool:
    """Tell whether a processor of this pipeline, the SDK's or None, exports to a backend."""
    return any(
        not isinstance(exporter, _NOT_A_BACKEND)
        and not getattr(exporter, "is_flight_recorder", False)
        for exporter in _exporters(pipeline)
    )


def _exporters(pipeline: Any) -> list[Any]:
    """Return the exporters behind a pipeline's processors, nested pipelines included."""
    found = []
    for processor in processors_in(pipeline):
        exporter = exporter_of(processor)
        if exporter is not None:
            found.append(exporter)
        found.extend(_exporters(processor))
    return found
