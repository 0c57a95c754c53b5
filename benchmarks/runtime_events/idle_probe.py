"""One variant in a process of its own that does nothing: how much processor time it takes."""

from __future__ import annotations

import threading
from pathlib import Path
from time import perf_counter, process_time

from opentelemetry.sdk.trace import TracerProvider

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.span_work import SpanWork
from benchmarks.measuring.variants import Surroundings

_SETTLING_SECONDS = 0.5


def measure(*, variant: str, seconds: float, directory: str) -> dict[str, float]:
    """Return the share of a core that the idle process used."""
    provider = TracerProvider(shutdown_on_exit=False)
    chosen = variants.open_variant(variant, Surroundings(directory=Path(directory)), provider)
    SpanWork(provider).make_traces(10)
    never = threading.Event()
    never.wait(_SETTLING_SECONDS)
    begin, cpu_begin = perf_counter(), process_time()
    never.wait(seconds)
    share = (process_time() - cpu_begin) / (perf_counter() - begin)
    chosen.close()
    return {"share": share}


if __name__ == "__main__":
    child_process.answer(measure)
