"""A service in which a request holds the lock that all others want, and its incident explained."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from time import monotonic, thread_time

import msgspec
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.measuring import child_process
from benchmarks.measuring.span_work import SPANS_PER_TRACE, RequestWork
from otel_flight import install
from otel_flight.assembly import ASSEMBLY
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.making.completion import examined

_THREADS = 16
_HELD_SECONDS = 1.5
"""Then all requests are slow."""
_TIMEOUT_SECONDS = 60.0


def measure(*, directory: str, spans: int, seconds: float) -> dict[str, float]:
    """Make the incident, and return what its explanation took."""
    spool = Path(directory, "spool")
    provider = TracerProvider(shutdown_on_exit=False)
    recorder = install(
        tracer_provider=provider,
        ring_directory=Path(directory, "ring"),
        spool_directory=spool,
        export="off",
        window_seconds=3600.0,
        tail_seconds=0.1,
    )
    recorder.start()
    is_over = threading.Event()
    lock = threading.Lock()
    threads = [
        threading.Thread(target=_serve, args=(provider, number, lock, is_over.is_set))
        for number in range(_THREADS)
    ]
    for thread in threads:
        thread.start()
    work = RequestWork(provider)
    until = monotonic() + seconds
    while monotonic() < until:
        work.make_traces(spans // SPANS_PER_TRACE // 50)
        time.sleep(seconds / 50)
    with provider.get_tracer("service").start_as_current_span("GET /report"), lock:
        time.sleep(_HELD_SECONDS)
    until = monotonic() + _TIMEOUT_SECONDS
    while not recorder.statistics().incidents_written and monotonic() < until:
        time.sleep(0.05)
    is_over.set()
    for thread in threads:
        thread.join()
    recorder.stop()
    return _explained(next(spool.glob("*.flight")))


def _serve(
    provider: TracerProvider, number: int, lock: threading.Lock, is_over: Callable[[], bool]
) -> None:
    chance = random.Random(number)
    tracer = provider.get_tracer("service")
    while not is_over():
        attributes: dict[str, str | int] = {
            "tenant": chance.choice("abcdef"),
            "shard": chance.randrange(8),
        }
        with tracer.start_as_current_span(f"GET /{number}", attributes=attributes):
            with tracer.start_as_current_span("SELECT"):
                time.sleep(chance.random() * 0.02)
            with lock:
                time.sleep(0.002)


def _explained(path: Path) -> dict[str, float]:
    incident = read_incident(path)
    counts = incident.manifest.record_counts
    incident = incident.with_manifest(
        msgspec.structs.replace(incident.manifest, is_unexamined=True, findings=())
    )
    slices: list[float] = []
    before = begin = thread_time()

    def yield_gil() -> None:
        nonlocal before
        now = thread_time()
        slices.append(now - before)
        before = now

    examined(incident, ASSEMBLY.rulebook, Guard(), yield_gil)
    end = thread_time()
    return {
        "spans": counts["spans/Span"],
        "events": counts["runtime/RuntimeEvent"],
        "cpu_seconds": end - begin,
        "longest_seconds": max(*slices, end - before),
    }


if __name__ == "__main__":
    child_process.answer(measure)
