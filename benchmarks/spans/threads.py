"""What is lost, and what a span costs, while many threads end spans at the same time.

On a busy machine a second process has the application's core, too. The cost is CPU time of the
whole process, and is compared with the bare SDK under as many threads, right before it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.measuring import child_process, cores, variants
from benchmarks.measuring.figures import Budget, Figure, Result

_PURE = "otel-flight, pure Python"
_VARIANTS = {
    variants.BARE: (variants.BARE, False),
    variants.OURS: (variants.OURS, True),
    _PURE: (variants.OURS, False),
}
"""What each row is called, with the variant, and whether it has the hot path in C."""


@dataclass(frozen=True, slots=True)
class _Size:
    threads: Sequence[int]
    runs: int
    seconds: float


_FULL = _Size(threads=(1, 4, 16, 50, 200), runs=3, seconds=2.0)
_SMOKE = _Size(threads=(2,), runs=1, seconds=0.2)


def run(*, smoke: bool) -> Result:
    """Measure each number of threads in processes of their own, quiet and beside a busy one."""
    size = _SMOKE if smoke else _FULL
    figures: list[Figure] = []
    for machine in ("quiet", "busy"):
        for threads in size.threads:
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in _VARIANTS}
            for _ in range(size.runs):
                for name in _VARIANTS:
                    if _VARIANTS[name][0] in variants.available([_VARIANTS[name][0]]):
                        runs[name].append(_probe(name, machine, threads, size))
            for name in _VARIANTS:
                figures += _figures(f"{machine}, {threads} threads", name, runs)
    note = f"medians of {size.runs} runs of {size.seconds} s, between smallest and largest"
    return Result(benchmark="threads", figures=figures, notes=[note])


def _probe(name: str, machine: str, threads: int, size: _Size) -> dict[str, Any]:
    variant, is_compiled = _VARIANTS[name]
    with tempfile.TemporaryDirectory() as directory, _neighbours(int(machine == "busy")):
        configuration = {
            "variant": variant,
            "is_compiled": is_compiled,
            "threads": threads,
            "seconds": size.seconds,
            "directory": directory,
        }
        return child_process.run(
            "benchmarks.spans.threads_probe", configuration, size.seconds + 120
        )


@contextmanager
def _neighbours(count: int) -> Iterator[None]:
    """Let processes compete for the application's core meanwhile."""
    with cores.children_on(cores.APPLICATION):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _figures(quantity: str, name: str, runs: dict[str, list[dict[str, Any]]]) -> Iterator[Figure]:
    measured, bare = runs[name], runs[variants.BARE]
    if not measured:
        return
    yield _figure(
        f"{quantity}: start + end", name, [run["microseconds"] for run in measured], "µs/span"
    )
    if name == variants.BARE:
        return
    pairs = zip(measured, bare, strict=True)
    ratios = [ours["microseconds"] / theirs["microseconds"] for ours, theirs in pairs]
    yield _figure(f"{quantity}: ratio", name, ratios, "x")
    lost = [run["dropped"] / max(1, run["records"] + run["dropped"]) * 100 for run in measured]
    yield _figure(f"{quantity}: dropped", name, lost, "%", Budget(limit=0.1))


def _figure(
    quantity: str, variant: str, values: Sequence[float], unit: str, budget: Budget | None = None
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
