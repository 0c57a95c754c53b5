"""The whole way of a failing request to the backend: the recorder's, and the usual one.

The usual one exports every span with BatchSpanProcessor and lets the Collector find the traces with
an error, by its processor `tail_sampling`. The recorder sends what was around the error, and the
Collector passes it on. Both services answer the same load, in which one request fails; both
Collectors write what they keep to a file, in which the trace of that request must be whole.

Times are those of a 25th of the default settings: a window of 2.4 s for 60 s, a tail of 0.08 s for
2 s, an incident in 50 s for one in 21 minutes. For other rates of incidents, figures are also given
for one incident, and for a calm second, without one.
"""

from __future__ import annotations

import struct
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

from benchmarks.incidents import backends
from benchmarks.incidents.counting_proxy import CountingProxy, Wire
from benchmarks.measuring import variants
from benchmarks.measuring.figures import Budget, Figure, Result
from benchmarks.measuring.load_generator import WARM_UP_SECONDS, LoadGenerator
from benchmarks.services.measured_service import MeasuredService, start_service
from benchmarks.services.service_app import BROKEN_PATH, SETTLE_PATH, SPANS_PER_REQUEST, WORK_PATH
from tests.support.backends.collector_process import CollectorProcess

USUAL = "BSP + tail_sampling"
NAMES = {variants.INSTALLED: variants.INSTALLED, variants.BATCH: USUAL}
_CONNECTIONS = 8
_QUIET_SECONDS = 1.0
_TIMEOUT_SECONDS = 60.0
_SETTINGS = {"window_seconds": 2.4, "tail_seconds": 0.08}
_SIZE = struct.Struct(">i")


@dataclass(frozen=True, slots=True)
class _Size:
    rate: float
    seconds: float


_FULL = _Size(rate=250.0, seconds=50.0)
_SMOKE = _Size(rate=50.0, seconds=1.0)


class _Reading(NamedTuple):
    """The meters of one pipeline at a moment."""

    wire: Wire
    service_cpu: float
    collector_cpu: float


class _Kept(NamedTuple):
    """What came out of the Collector: the application's spans by trace, and what failed."""

    spans: Counter[bytes]
    failed: set[bytes]

    @property
    def is_whole(self) -> bool:
        """Whether a failed request is there with all of its spans."""
        return any(self.spans[trace_id] >= SPANS_PER_REQUEST for trace_id in self.failed)


class _Run(NamedTuple):
    """One pipeline from before the load until the failed request's trace was kept."""

    begin: _Reading
    middle: _Reading
    """Just before the request that fails."""
    end: _Reading
    kept: _Kept
    requests: float
    p99_ms: float


def run(*, smoke: bool) -> Result:
    """Measure one pipeline after the other."""
    backends.require("collector")
    size = _SMOKE if smoke else _FULL
    with LoadGenerator() as generator:
        runs = {
            NAMES[name]: _run(name, generator, size) for name in variants.available(list(NAMES))
        }
    notes = [
        f"{size.rate:g} requests/s of {SPANS_PER_REQUEST} spans for {size.seconds:g} s, one fails",
        "OTLP/HTTP without compression; wire: TCP payload of both directions",
    ]
    return Result(benchmark="pipeline", figures=_figures(runs, size), notes=notes)


def _run(name: str, generator: LoadGenerator, size: _Size) -> _Run:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        processor = "tail_sampling" if name == variants.BATCH else ""
        collector = stack.enter_context(backends.collector(folder, processor=processor, keeps=True))
        proxy = stack.enter_context(CountingProxy(collector.ports["http"]))
        service = start_service(name, proxy.endpoint, stack, settings=_SETTINGS)
        service.wait_until_ready()
        begin = _read(service, collector, proxy)
        pool = stack.enter_context(ThreadPoolExecutor(1))
        load = pool.submit(
            generator.load,
            port=service.port,
            path=WORK_PATH,
            connections=_CONNECTIONS,
            seconds=size.seconds,
            rate=size.rate,
        )
        time.sleep(WARM_UP_SECONDS + size.seconds / 2)
        middle = _read(service, collector, proxy)
        service.get(BROKEN_PATH)
        answer = load.result()
        service.get(SETTLE_PATH)
        kept = _wait_until_kept(folder, proxy)
        end = _read(service, collector, proxy)
    return _Run(begin, middle, end, kept, answer["requests"] + 1, answer["p99_ms"])


def _read(service: MeasuredService, collector: CollectorProcess, proxy: CountingProxy) -> _Reading:
    service_cpu = service.get(SETTLE_PATH)["cpu_seconds"]
    return _Reading(proxy.passed(), service_cpu, backends.cpu_seconds(collector))


def _wait_until_kept(folder: Path, proxy: CountingProxy) -> _Kept:
    """Block until the failed request's trace is kept and nothing more is under way.

    Raises:
        TimeoutError: That does not happen.
    """
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    passed = proxy.passed()
    while time.monotonic() < deadline:
        time.sleep(_QUIET_SECONDS)
        before, passed = passed, proxy.passed()
        kept = _kept(backends.kept_path(folder))
        if kept.is_whole and passed == before:
            return kept
    message = f"the failed request is not kept after {_TIMEOUT_SECONDS:g} s"
    raise TimeoutError(message)


def _kept(path: Path) -> _Kept:
    kept = _Kept(Counter(), set())
    for message in _messages(path.read_bytes() if path.exists() else b""):
        for resource_spans in message.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    if any(each.key == "flight_recorder.kind" for each in span.attributes):
                        continue
                    kept.spans[span.trace_id] += 1
                    if span.status.code == Status.STATUS_CODE_ERROR:
                        kept.failed.add(span.trace_id)
    return kept


def _messages(data: bytes) -> Iterator[TracesData]:
    """Yield what the Collector's file exporter has written: messages with their sizes in front."""
    start = 0
    while start + _SIZE.size <= len(data):
        (size,) = _SIZE.unpack_from(data, start)
        start += _SIZE.size
        if start + size > len(data):
            return
        yield TracesData.FromString(data[start : start + size])
        start += size


def _figures(runs: dict[str, _Run], size: _Size) -> list[Figure]:
    figures = []
    for name, each in runs.items():
        figures += [
            Figure(quantity=quantity, variant=name, value=value, unit=unit)
            for quantity, value, unit in _quantities(each, size)
        ]
    if len(runs) < len(NAMES):
        return figures
    ours, usual = (runs[name] for name in NAMES.values())
    ratios = [
        ("wire, BSP to ours", _wire(usual) / _wire(ours), Budget(limit=10.0, is_floor=True)),
        (
            "Collector CPU, BSP to ours",
            _collector(usual) / _collector(ours),
            Budget(limit=5.0, is_floor=True),
        ),
        ("service CPU, BSP to ours", _service(usual) / _service(ours), None),
        (
            "CPU of both, BSP to ours",
            (_service(usual) + _collector(usual)) / (_service(ours) + _collector(ours)),
            None,
        ),
    ]
    return figures + [
        Figure(quantity=quantity, variant=variants.INSTALLED, value=value, unit="x", budget=budget)
        for quantity, value, budget in ratios
    ]


def _quantities(each: _Run, size: _Size) -> list[tuple[str, float, str]]:
    calm_seconds = size.seconds / 2
    calm_bytes = each.middle.wire.both - each.begin.wire.both
    calm_collector = each.middle.collector_cpu - each.begin.collector_cpu
    return [
        ("requests", each.requests, "requests"),
        ("p99", each.p99_ms, "ms"),
        ("failed requests kept", len(each.kept.failed), "traces"),
        ("spans kept", sum(each.kept.spans.values()), "spans"),
        ("wire", _wire(each) / 1e6, "MB"),
        ("wire, answers", (each.end.wire.back - each.begin.wire.back) / 1e6, "MB"),
        ("calm: wire", calm_bytes / calm_seconds / 1e3, "kB/s"),
        ("Collector CPU", _collector(each), "s"),
        ("calm: Collector CPU", calm_collector / calm_seconds * 100, "% of a core"),
        ("service CPU", _service(each), "s"),
    ]


def _wire(each: _Run) -> float:
    return each.end.wire.both - each.begin.wire.both


def _collector(each: _Run) -> float:
    return each.end.collector_cpu - each.begin.collector_cpu


def _service(each: _Run) -> float:
    return each.end.service_cpu - each.begin.service_cpu
