"""What keeping spans costs a real service: FastAPI under uvicorn, eleven spans a request.

All server processes live at the same time on one core; a load generator on the other loads one of
them at a time in short slices, the n-th process of each variant next to each other in random order.
Several processes a variant, because two processes that run the same differ by some percent. The
processor time a request takes is the figure that other load on the machine disturbs least.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import cores, service_app, variants
from benchmarks.figures import Budget, Figure, Result
from benchmarks.load_generator import LoadGenerator
from benchmarks.measured_service import MeasuredService, start_service
from benchmarks.paired_ratios import bootstrap, paired_process_ratio
from benchmarks.receiver_process import ReceiverProcess

NAMES = (variants.BARE, variants.EMPTY, variants.INSTALLED, variants.DEQUE, variants.BATCH)
_CONNECTIONS = 8
_QUANTITIES = {
    "throughput": ("req/s", Budget(limit=0.97, is_floor=True)),
    "p50_ms": ("ms", None),
    "p99_ms": ("ms", Budget(limit=1.05)),
    "cpu_ms": ("ms/request", None),
}


@dataclass(frozen=True, slots=True)
class _Size:
    processes: int
    rounds: int
    slice_seconds: float


_FULL = _Size(processes=3, rounds=14, slice_seconds=0.75)
_SMOKE = _Size(processes=1, rounds=1, slice_seconds=0.2)

_Process = list[Mapping[str, float]]
"""What the load generator measured on one server process, round by round."""


def run(*, smoke: bool) -> Result:
    """Measure all variants and compare each with the bare SDK."""
    size = _SMOKE if smoke else _FULL
    with ExitStack() as stack:
        receiver = stack.enter_context(ReceiverProcess())
        generator = stack.enter_context(LoadGenerator())
        servers = {
            name: [start_service(name, receiver.endpoint, stack) for _ in range(size.processes)]
            for name in variants.available(NAMES)
        }
        for server in itertools.chain(*servers.values()):
            server.wait_until_ready()
        spans_per_request = _spans_per_request(servers[variants.DEQUE][0])
        slices = _measure(servers, generator, size)
    notes = [
        f"{spans_per_request} spans a request, {_CONNECTIONS} connections",
        f"{size.processes} processes a variant, {size.rounds} rounds of {size.slice_seconds} s",
    ]
    if not cores.are_separate():
        notes.append("one core only: the load generator competed with the service")
    return Result(benchmark="service", figures=_figures(slices), notes=notes)


def _spans_per_request(server: MeasuredService) -> int:
    """Return what one request adds to the spans that the server's deque holds."""
    before = server.get(service_app.HELD_PATH)["spans"]
    server.get(service_app.WORK_PATH)
    after = server.get(service_app.HELD_PATH)["spans"]
    return int(after - before)


def _measure(
    servers: Mapping[str, Sequence[MeasuredService]], generator: LoadGenerator, size: _Size
) -> dict[str, list[_Process]]:
    """Load every process once a round."""
    order = random.Random(0)
    slices: dict[str, list[_Process]] = {name: [[] for _ in each] for name, each in servers.items()}
    for _ in range(size.rounds):
        for number in range(size.processes):
            for name in order.sample(list(servers), len(servers)):
                server = servers[name][number]
                slices[name][number].append(_load(server, generator, size.slice_seconds))
    return slices


def _load(server: MeasuredService, generator: LoadGenerator, seconds: float) -> Mapping[str, float]:
    cpu_begin = server.get(service_app.SETTLE_PATH)["cpu_seconds"]
    measured = generator.load(
        port=server.port, path=service_app.WORK_PATH, connections=_CONNECTIONS, seconds=seconds
    )
    # What a batch processor has queued would be exported in somebody else's slice.
    cpu_end = server.get(service_app.SETTLE_PATH)["cpu_seconds"]
    return measured | {"cpu_ms": (cpu_end - cpu_begin) * 1e3 / measured["requests"]}


def _figures(slices: Mapping[str, list[_Process]]) -> list[Figure]:
    figures = []
    for quantity, (unit, budget) in _QUANTITIES.items():
        values = {
            name: [[each[quantity] for each in process] for process in processes]
            for name, processes in slices.items()
        }
        for name, measured in values.items():
            every_slice = [value for process in measured for value in process]
            figures.append(
                Figure(
                    quantity=quantity, variant=name, unit=unit, **bootstrap(every_slice)._asdict()
                )
            )
        figures += [
            Figure(
                quantity=f"{quantity} to bare",
                variant=name,
                unit="x",
                budget=budget if name == variants.INSTALLED else None,
                **paired_process_ratio(measured, values[variants.BARE])._asdict(),
            )
            for name, measured in values.items()
            if name != variants.BARE
        ]
    return figures
