"""One variant in a process of its own: an application at work before and during a flush.

A unit of work is one trace of five spans and some arithmetic, about 0.2 ms. `paced` units begin
every 2 ms and their latency counts from when they should have begun, so a stall is seen by all it
delays; `busy` units follow each other, giving up the interpreter lock once in between, as a service
does at each system call.
"""

from __future__ import annotations

import time
from mmap import mmap
from pathlib import Path
from time import monotonic_ns
from typing import Any, Literal, NamedTuple

from opentelemetry.sdk.trace import TracerProvider

from benchmarks.measuring import child_process, cores, variants
from benchmarks.measuring.paired_ratios import percentile
from benchmarks.measuring.receiver_process import open_counts, read_counts
from benchmarks.measuring.span_work import SPANS_PER_TRACE, SpanWork
from benchmarks.measuring.variants import Surroundings, Variant

Rhythm = Literal["paced", "busy"]

_PERIOD_NS = 2_000_000
_CHILDREN = 4
_ARITHMETIC = 10_000


class Unit(NamedTuple):
    """When a unit of work was due and when it was done, on the monotonic clock."""

    due_ns: int
    done_ns: int


class _Application:
    """The loop of units, which never stops between the two phases."""

    def __init__(self, provider: TracerProvider, rhythm: Rhythm) -> None:
        self._work = SpanWork(provider)
        self._period_ns = _PERIOD_NS if rhythm == "paced" else 0
        self._due_ns = monotonic_ns()

    def run_unit(self) -> Unit:
        """Wait until the next unit is due, do it, and return its times."""
        if self._period_ns:
            self._due_ns += self._period_ns
        else:
            self._due_ns = monotonic_ns()
        # Gives up the interpreter lock even when there is nothing to wait for.
        time.sleep(max(self._due_ns - monotonic_ns(), 0) / 1e9)
        self._work.make_traces(1, _CHILDREN)
        sum(range(_ARITHMETIC))
        return Unit(self._due_ns, monotonic_ns())


def measure(
    *,
    variant: str,
    rhythm: Rhythm,
    spans: int,
    tail_seconds: float,
    baseline_seconds: float,
    quiet_seconds: float,
    timeout_seconds: float,
    directory: str,
    endpoint: str,
    counts_path: str,
) -> dict[str, Any]:
    """Fill the window, work, flush while working, and return both phases' latencies."""
    cores.pin(cores.APPLICATION)
    provider = TracerProvider(shutdown_on_exit=False)
    # The ring's size alone is to decide what it holds.
    settings = {"window_seconds": 3600.0, "tail_seconds": tail_seconds}
    surroundings = Surroundings(directory=Path(directory), endpoint=endpoint, settings=settings)
    chosen = variants.open_variant(variant, surroundings, provider)
    SpanWork(provider).make_traces(spans // SPANS_PER_TRACE)

    application = _Application(provider, rhythm)
    _work_until(application, monotonic_ns() + 500_000_000)  # settles
    before = _work_until(application, monotonic_ns() + int(baseline_seconds * 1e9))
    begin_ns = monotonic_ns()
    # The bare SDK sends nothing that could be waited for.
    limit_seconds = baseline_seconds if variant == variants.BARE else timeout_seconds
    during, spans_received, end_ns = _work_through_flush(
        application,
        chosen,
        open_counts(Path(counts_path)),
        quiet_ns=int(quiet_seconds * 1e9),
        deadline_ns=begin_ns + int(limit_seconds * 1e9),
    )
    chosen.close()
    return {
        "before": _latencies_ms(before),
        "during": _latencies_ms(during),
        "flush_seconds": (end_ns - begin_ns) / 1e9,
        "spans": spans_received,
    }


def _work_until(application: _Application, end_ns: int) -> list[Unit]:
    units = [application.run_unit()]
    while units[-1].done_ns < end_ns:
        units.append(application.run_unit())
    return units


def _work_through_flush(
    application: _Application, variant: Variant, counts: mmap, *, quiet_ns: int, deadline_ns: int
) -> tuple[list[Unit], int, int]:
    """Return the units up to the last span received, how many were, and when the last was."""
    asked_ns = monotonic_ns()
    variant.flush()
    # What the flush itself keeps from the application's thread is a stall like any other.
    units = [Unit(asked_ns, monotonic_ns()), application.run_unit()]
    while units[-1].done_ns < deadline_ns:
        units.append(application.run_unit())
        last_ns = read_counts(counts).last_ns
        if last_ns and units[-1].done_ns - last_ns > quiet_ns:
            break
    received = read_counts(counts)
    end_ns = received.last_ns or units[-1].done_ns
    return [unit for unit in units if unit.due_ns <= end_ns], received.spans, end_ns


def _latencies_ms(units: list[Unit]) -> dict[str, float]:
    latencies = [(unit.done_ns - unit.due_ns) / 1e6 for unit in units]
    return {
        "p50": percentile(latencies, 50),
        "p99": percentile(latencies, 99),
        "max": max(latencies),
        "units": len(latencies),
    }


if __name__ == "__main__":
    child_process.answer(measure)
