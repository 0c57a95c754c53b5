"""How soon after the trigger the last span of a full window can be looked at in a real Jaeger.

The service answers a steady stream of requests before and meanwhile; what the flush adds to its
latency is in the same figures. The bare SDK goes through the same phases without a flush, for what
the machine itself adds. Asked for is the trace that is sent last; whether all the others are there
as well is looked at afterwards.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic
from typing import NamedTuple, TypeVar

from benchmarks.incidents import backends
from benchmarks.measuring import cores, variants
from benchmarks.measuring.figures import Budget, Figure, Result
from benchmarks.measuring.load_generator import WARM_UP_SECONDS, LoadGenerator
from benchmarks.measuring.paired_ratios import percentile
from benchmarks.services.measured_service import MeasuredService, start_service
from benchmarks.services.service_app import COLLECT_PATH, FLUSH_PATH, WORK_PATH
from tests.support.backends.jaeger_process import JaegerProcess

NAMES = (variants.BARE, variants.INSTALLED)
_CONNECTIONS = 8
_POLL_SECONDS = 0.02
_TIMEOUT_SECONDS = 60.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Size:
    runs: int
    fill_requests: int
    rate: float
    before_seconds: float
    flush_seconds: float
    tail_seconds: float


# 5000 requests of eleven spans are more than 16 MiB hold.
_FULL = _Size(
    runs=3, fill_requests=6000, rate=200.0, before_seconds=5.0, flush_seconds=8.0, tail_seconds=2.0
)
_SMOKE = _Size(
    runs=1, fill_requests=50, rate=50.0, before_seconds=0.3, flush_seconds=1.0, tail_seconds=0.1
)


class _Phase(NamedTuple):
    """A flush, or the same time without one: when it was, and what became of it."""

    begin: float
    end: float
    spans: int


class _Run(NamedTuple):
    seconds: float
    spans: int
    missing: int
    before: list[float]
    during: list[float]
    """Latencies in milliseconds."""

    def added(self, percent: float) -> float:
        """Return what a percentile is higher by than before."""
        return percentile(self.during, percent) - percentile(self.before, percent)


def run(*, smoke: bool) -> Result:
    """Measure each variant several times in turn, each time with a Jaeger of its own."""
    backends.require("jaeger")
    size = _SMOKE if smoke else _FULL
    names = variants.available(NAMES)
    runs: dict[str, list[_Run]] = {name: [] for name in names}
    with LoadGenerator() as generator:
        for _ in range(size.runs):
            for name in names:
                runs[name].append(_run(name, generator, size))
    notes = [
        f"medians of {size.runs} runs, between smallest and largest",
        f"{size.rate:g} requests/s of 11 spans; the tail of {size.tail_seconds:g} s is included",
    ]
    missing = sum(each.missing for each in runs.get(variants.INSTALLED, []))
    if missing:
        notes.append(f"{missing} spans of the incidents are not in Jaeger")
    return Result(benchmark="queryable", figures=_figures(runs), notes=notes)


def _run(name: str, generator: LoadGenerator, size: _Size) -> _Run:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        jaeger = stack.enter_context(backends.jaeger(folder))
        settings = {"tail_seconds": size.tail_seconds}
        service = start_service(name, jaeger.http_endpoint, stack, settings=settings)
        service.wait_until_ready()
        if name != variants.BARE:
            _fill(service, generator, size.fill_requests)
        # After so many requests the service's own next full collection is due soon: 30 ms that
        # would be blamed on the flush. One that the flush brings about would still be seen.
        service.get(COLLECT_PATH)
        # What this process does from here on must not be done on the service's core.
        stack.enter_context(cores.children_on(cores.OTHERS))
        pool = stack.enter_context(ThreadPoolExecutor(1))
        load = pool.submit(
            generator.load,
            port=service.port,
            path=WORK_PATH,
            connections=_CONNECTIONS,
            seconds=size.before_seconds + size.flush_seconds,
            rate=size.rate,
            samples_wanted=True,
        )
        time.sleep(WARM_UP_SECONDS + size.before_seconds)
        if name == variants.BARE:
            begin = monotonic()
            phase = _Phase(begin, begin + size.flush_seconds / 2, 0)
        else:
            phase = _flush(service, jaeger)
        samples = load.result()["samples"]
        missing = _missing(jaeger, service) if phase.spans else 0
    return _Run(
        seconds=phase.end - phase.begin,
        spans=phase.spans,
        missing=missing,
        before=[latency * 1e3 for begun, latency in samples if begun < phase.begin],
        during=[latency * 1e3 for begun, latency in samples if phase.begin <= begun < phase.end],
    )


def _fill(service: MeasuredService, generator: LoadGenerator, requests: int) -> None:
    done = 0.0
    while done < requests:
        done += generator.load(
            port=service.port, path=WORK_PATH, connections=_CONNECTIONS, seconds=0.5
        )["requests"]


def _flush(service: MeasuredService, jaeger: JaegerProcess) -> _Phase:
    """Trigger, and wait until the trace that is sent last is all there."""
    begin = service.get(FLUSH_PATH)["begin"]
    traces = _until("kept", lambda: variants.incident_traces(service.directory))
    trace_id, count = traces[-1]
    _until("queryable", lambda: _spans(jaeger, trace_id) >= count or None)
    return _Phase(begin, monotonic(), sum(spans for _, spans in traces))


def _until(what: str, probe: Callable[[], _T | None]) -> _T:
    deadline = monotonic() + _TIMEOUT_SECONDS
    while monotonic() < deadline:
        found = probe()
        if found is not None:
            return found
        time.sleep(_POLL_SECONDS)
    message = f"the incident is not {what} after {_TIMEOUT_SECONDS:g} s"
    raise TimeoutError(message)


def _spans(jaeger: JaegerProcess, trace_id: str) -> int:
    trace = jaeger.trace(trace_id)
    return 0 if trace is None else len(trace["spans"])


def _missing(jaeger: JaegerProcess, service: MeasuredService) -> int:
    """Return how many spans of the incident cannot be found."""
    expected = dict(variants.incident_traces(service.directory) or [])
    for name in jaeger.services():
        for trace in jaeger.find_traces(name):
            trace_id = trace["traceID"].zfill(32)
            if trace_id in expected:
                expected[trace_id] -= len(trace["spans"])
    return sum(expected.values())


def _figures(runs: dict[str, list[_Run]]) -> list[Figure]:
    figures = []
    for name, measured in runs.items():
        ours = name == variants.INSTALLED
        rows: list[tuple[str, list[float], str, Budget | None]] = [
            ("p99 before", [percentile(each.before, 99) for each in measured], "ms", None),
            ("added p50", [each.added(50) for each in measured], "ms", None),
            (
                "added p99",
                [each.added(99) for each in measured],
                "ms",
                Budget(limit=1.0) if ours else None,
            ),
        ]
        if ours:
            seconds = [each.seconds for each in measured]
            spans = [float(each.spans - each.missing) for each in measured]
            rows += [
                ("trigger to last span queryable", seconds, "s", Budget(limit=10.0)),
                ("spans queryable", spans, "spans", None),
            ]
        figures += [
            _figure(quantity, name, values, unit, budget) for quantity, values, unit, budget in rows
        ]
    return figures


def _figure(
    quantity: str, variant: str, values: Sequence[float], unit: str, budget: Budget | None
) -> Figure:
    return Figure(
        quantity=quantity,
        variant=variant,
        value=median(values),
        low=min(values),
        high=max(values),
        unit=unit,
        budget=budget,
    )
