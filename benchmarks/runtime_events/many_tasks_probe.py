"""A process with many asyncio tasks, some of which serve slow requests, and its loop's lateness."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from benchmarks.measuring import child_process, cores, variants
from benchmarks.measuring.paired_ratios import percentile
from benchmarks.measuring.variants import Surroundings
from otel_flight.ground.native import running

_PERIOD_SECONDS = 0.001
_SETTLED_AFTER_SECONDS = 1.0
"""By then the slow requests are slow."""
_TICKER = "otel-flight-ticker"


def measure(
    *, directory: str, settings: dict[str, Any], tasks: int, slow: int, seconds: float
) -> dict[str, Any]:
    """Return how late a timer of the loop was, in milliseconds, and what the ticker took."""
    cores.pin(cores.APPLICATION)
    provider = TracerProvider(shutdown_on_exit=False)
    # No incident: it is about looking at the tasks.
    settings = {**settings, "slow_root_seconds": None}
    surroundings = Surroundings(directory=Path(directory), settings=settings)
    recorder = variants.open_variant(variants.INSTALLED, surroundings, provider)
    try:
        return asyncio.run(_run(provider.get_tracer("tasks"), tasks, slow, seconds))
    finally:
        recorder.close()


async def _run(tracer: Tracer, tasks: int, slow: int, seconds: float) -> dict[str, Any]:
    never = asyncio.Event()
    waiting = [asyncio.create_task(_serve(tracer, never, number < slow)) for number in range(tasks)]
    await asyncio.sleep(_SETTLED_AFTER_SECONDS)
    ticker_before = _ticker_seconds()
    late = await _lateness(seconds)
    ticker = _ticker_seconds() - ticker_before
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return {
        "p99_ms": percentile(late, 99) * 1e3,
        "max_ms": max(late) * 1e3,
        "ticker_share": ticker / seconds,
    }


async def _serve(tracer: Tracer, never: asyncio.Event, is_slow: bool) -> None:
    if not is_slow:
        await never.wait()
        return
    with tracer.start_as_current_span("GET /slow", context=Context()):
        await _within(never)


async def _within(never: asyncio.Event) -> None:
    await never.wait()


async def _lateness(seconds: float) -> list[float]:
    """Return how much later than asked for the loop went on, again and again."""
    late = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        await asyncio.sleep(_PERIOD_SECONDS)
        late.append(time.perf_counter() - begin - _PERIOD_SECONDS)
    return late


def _ticker_seconds() -> float:
    """Return the processor time of the recorder's thread so far."""
    for thread in running():
        if thread.name == _TICKER:
            return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return 0.0


if __name__ == "__main__":
    child_process.answer(measure)
