"""One variant in a process of its own: so many threads that end spans, one right after another."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider

from benchmarks.measuring import child_process, cores, variants
from benchmarks.measuring.span_work import SPANS_PER_TRACE, SpanWork
from benchmarks.measuring.variants import Surroundings

_TRACES_AT_ONCE = 5


def measure(
    *, variant: str, is_compiled: bool, threads: int, seconds: float, directory: str
) -> dict[str, float]:
    """Let the threads work, and return what a span cost and how many were lost."""
    cores.pin(cores.APPLICATION)
    provider = TracerProvider(shutdown_on_exit=False)
    surroundings = Surroundings(directory=Path(directory), settings={"compiled": is_compiled})
    chosen = variants.open_variant(variant, surroundings, provider)
    SpanWork(provider).make_traces(_TRACES_AT_ONCE)  # the recording begins with the first span
    made = [0] * threads
    barrier = threading.Barrier(threads + 1)
    until = 0.0

    def work(number: int) -> None:
        spans = SpanWork(provider)
        barrier.wait()
        while time.monotonic() < until:
            spans.make_traces(_TRACES_AT_ONCE)
            made[number] += _TRACES_AT_ONCE * SPANS_PER_TRACE

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    until = time.monotonic() + seconds
    begin = time.process_time()
    barrier.wait()
    for worker in workers:
        worker.join()
    microseconds = (time.process_time() - begin) / sum(made) * 1e6
    dropped, records = chosen.dropped_records()
    chosen.close()
    return {"microseconds": microseconds, "dropped": dropped, "records": records}


if __name__ == "__main__":
    child_process.answer(measure)
