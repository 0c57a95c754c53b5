"""One sender in a process of its own that does nothing else: its processor time for its spans."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benchmarks.measuring import child_process, cores, variants
from benchmarks.measuring.span_work import SPANS_PER_TRACE, RequestWork
from benchmarks.measuring.variants import Surroundings

_QUEUE_SPANS = 2048
"""What BatchSpanProcessor holds by default."""
_POLL_SECONDS = 0.02
_TIMEOUT_SECONDS = 100.0


def measure(
    *, variant: str, protocol: str, spans: int, directory: str, endpoint: str
) -> dict[str, float]:
    """Send the spans and return how many were, and what that took."""
    cores.pin(cores.APPLICATION)
    # The ring's size alone is to decide what it holds.
    settings = {"window_seconds": 3600.0, "tail_seconds": 0.0}
    surroundings = Surroundings(
        directory=Path(directory), endpoint=endpoint, protocol=protocol, settings=settings
    )
    part = _flush if variant == variants.OURS else _export
    return part(surroundings, spans)


def _flush(surroundings: Surroundings, spans: int) -> dict[str, float]:
    """Fill a window, trigger, and wait for the end of the delivery."""
    provider = TracerProvider(shutdown_on_exit=False)
    chosen = variants.open_variant(variants.OURS, surroundings, provider)
    RequestWork(provider).make_traces(spans // SPANS_PER_TRACE)
    begin, cpu_begin = perf_counter(), process_time()
    chosen.flush()
    _wait_until(lambda: chosen.progress().is_written)
    cpu_written = process_time()
    _wait_until(lambda: chosen.progress().is_delivered)
    cpu_end, end = process_time(), perf_counter()
    sent = chosen.progress().spans
    chosen.close()
    return {
        "spans": sent,
        "cpu_seconds": cpu_end - cpu_written,
        "writing_cpu": cpu_written - cpu_begin,
        "seconds": end - begin,
    }


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = perf_counter() + _TIMEOUT_SECONDS
    while not condition():
        if perf_counter() > deadline:
            message = "the incident was not delivered in time"
            raise TimeoutError(message)
        time.sleep(_POLL_SECONDS)


def _export(surroundings: Surroundings, spans: int) -> dict[str, float]:
    """Fill the queue and let it be exported, again and again."""
    gate = _Gate(variants.official_exporter(surroundings))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(gate))
    work = RequestWork(provider)
    traces = _QUEUE_SPANS // SPANS_PER_TRACE
    seconds = cpu_seconds = 0.0
    while gate.exported < spans:
        gate.close()
        work.make_traces(traces)
        begin, cpu_begin = perf_counter(), process_time()
        gate.open()
        provider.force_flush()
        cpu_seconds += process_time() - cpu_begin
        seconds += perf_counter() - begin
    provider.shutdown()
    if gate.has_failed:
        message = "the Collector did not take all spans"
        raise RuntimeError(message)
    return {"spans": gate.exported, "cpu_seconds": cpu_seconds, "seconds": seconds}


class _Gate(SpanExporter):
    """Holds back what is exported while spans are made, and counts what was acknowledged."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_open = threading.Event()
        self.exported = 0
        self.has_failed = False

    def open(self) -> None:
        """Let exports pass."""
        self._is_open.set()

    def close(self) -> None:
        """Hold exports back."""
        self._is_open.clear()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._is_open.wait()
        result = self._exporter.export(spans)
        self.has_failed |= result is not SpanExportResult.SUCCESS
        self.exported += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


if __name__ == "__main__":
    child_process.answer(measure)
