"""Whether sampled spans are exported by another processor, so that we need not send them again."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

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
    for processor in getattr(pipeline, "_span_processors", ()):
        exporter = getattr(processor, "span_exporter", None)
        if exporter is None:  # newer batch processors keep it in the part all signals share
            exporter = getattr(getattr(processor, "_batch_processor", None), "_exporter", None)
        if exporter is not None:
            found.append(exporter)
        found.extend(_exporters(processor))
    return found
