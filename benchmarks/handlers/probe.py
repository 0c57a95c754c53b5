"""One kind of handler in a process of its own, called without a server: CPU time a request."""

from __future__ import annotations

import gc
import importlib
from pathlib import Path
from time import process_time
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.variants import Surroundings

COUNTED = "counted"
"""It is no way of keeping spans: it counts those of one request."""
_WARM_UP = 200


def measure(
    *, handler: str, variant: str, directory: str, slices: int, units: int
) -> dict[str, Any]:
    """Return the CPU microseconds a request of each slice, or how many spans one has."""
    provider = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
    serve = importlib.import_module(f"benchmarks.handlers.{handler}").open_handler()
    if variant == COUNTED:
        exporter = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        serve()
        return {"spans": len(exporter.get_finished_spans())}
    opened = variants.open_variant(variant, Surroundings(directory=Path(directory)), provider)
    for _ in range(_WARM_UP):
        serve()
    microseconds = []
    for _ in range(slices):
        gc.collect()
        begin = process_time()
        for _ in range(units):
            serve()
        microseconds.append((process_time() - begin) / units * 1e6)
    opened.close()
    return {"microseconds": microseconds}


if __name__ == "__main__":
    child_process.answer(measure)
