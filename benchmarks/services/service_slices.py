"""Slices of load on server processes that live at the same time, in an order that evens out drift.

All server processes share one core; a load generator on the other loads one of them at a time in
short slices, the n-th process of each variant next to each other in random order.
Several processes a variant, because two processes that run the same differ by some percent. The
processor time a request takes is the figure that other load on the machine disturbs least.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measuring.figures import Budget, Figure
from benchmarks.measuring.load_generator import LoadGenerator
from benchmarks.measuring.paired_ratios import bootstrap, paired_process_ratio
from benchmarks.services import service_app
from benchmarks.services.measured_service import MeasuredService

CONNECTIONS = 8
UNITS = {"throughput": "req/s", "p50_ms": "ms", "p99_ms": "ms", "cpu_ms": "ms/request"}

Process = list[Mapping[str, float]]
"""What the load generator measured on one server process, round by round."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    processes: int
    rounds: int
    slice_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.processes} processes a variant, {self.rounds} rounds of {self.slice_seconds} s"
        )


def measure_slices(
    servers: Mapping[str, Sequence[MeasuredService]], generator: LoadGenerator, size: Size
) -> dict[str, list[Process]]:
    """Load every process once a round."""
    order = random.Random(0)
    slices: dict[str, list[Process]] = {name: [[] for _ in each] for name, each in servers.items()}
    for _ in range(size.rounds):
        for number in range(size.processes):
            for name in order.sample(list(servers), len(servers)):
                server = servers[name][number]
                slices[name][number].append(_load(server, generator, size.slice_seconds))
    return slices


def _load(server: MeasuredService, generator: LoadGenerator, seconds: float) -> Mapping[str, float]:
    cpu_begin = server.get(service_app.SETTLE_PATH)["cpu_seconds"]
    measured = generator.load(
        port=server.port, path=service_app.WORK_PATH, connections=CONNECTIONS, seconds=seconds
    )
    # What a batch processor has queued would be exported in somebody else's slice.
    cpu_end = server.get(service_app.SETTLE_PATH)["cpu_seconds"]
    return measured | {"cpu_ms": (cpu_end - cpu_begin) * 1e3 / measured["requests"]}


def slice_figures(
    slices: Mapping[str, list[Process]],
    base: str,
    budgets: Mapping[tuple[str, str], Budget],
    suffix: str,
) -> list[Figure]:
    """Return each quantity of each variant, and its ratio to one of them.

    Args:
        slices: What was measured.
        base: The variant that the others are compared with.
        budgets: Of the ratios, by quantity and variant.
        suffix: What the ratios are called besides the quantity.
    """
    figures = []
    for quantity, unit in UNITS.items():
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
                quantity=f"{quantity} {suffix}",
                variant=name,
                unit="x",
                budget=budgets.get((quantity, name)),
                **paired_process_ratio(measured, values[base])._asdict(),
            )
            for name, measured in values.items()
            if name != base
        ]
    return figures
