"""What a recorder costs a process that has nothing to do, as a share of a core."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Budget, Figure, Result

NAMES = (variants.BARE, variants.INSTALLED, variants.BATCH)
_PROBE = "benchmarks.runtime_events.idle_probe"


@dataclass(frozen=True, slots=True)
class _Size:
    processes: int
    seconds: float


_FULL = _Size(processes=3, seconds=10.0)
_SMOKE = _Size(processes=1, seconds=0.5)


def run(*, smoke: bool) -> Result:
    """Let several idle processes of each variant live at the same time."""
    size = _SMOKE if smoke else _FULL
    shares = _measure(variants.available(NAMES), size)
    bare = median(shares[variants.BARE])
    figures = [
        Figure(
            quantity="processor time over bare",
            variant=name,
            value=(median(measured) - bare) * 100,
            low=(min(measured) - bare) * 100,
            high=(max(measured) - bare) * 100,
            unit="% of a core",
            budget=Budget(limit=0.1) if name == variants.INSTALLED else None,
        )
        for name, measured in shares.items()
        if name != variants.BARE
    ]
    note = f"{size.processes} processes a variant for {size.seconds} s; bare {bare * 100:.4f} %"
    return Result(benchmark="idle", figures=figures, notes=[note])


def _measure(names: list[str], size: _Size) -> dict[str, list[float]]:
    with ExitStack() as stack:
        running = [
            (
                name,
                stack.enter_context(child_process.start(_PROBE, _configuration(name, size, stack))),
            )
            for name in names
            for _ in range(size.processes)
        ]
        shares: dict[str, list[float]] = {name: [] for name in names}
        for name, process in running:
            shares[name].append(child_process.result_of(process, size.seconds + 60)["share"])
        return shares


def _configuration(name: str, size: _Size, stack: ExitStack) -> dict[str, object]:
    directory = stack.enter_context(tempfile.TemporaryDirectory())
    return {"variant": name, "seconds": size.seconds, "directory": directory}
