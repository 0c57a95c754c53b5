"""The processor time that a full window's findings and inferred spans take, and its longest slice.

Between two slices another thread can have the GIL. The window is that of a service of 16 threads,
in which one request holds a lock that all the others want: each is slow, and has its causes.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from statistics import median

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Budget, Figure, Result

_PROBE = "benchmarks.incidents.explanation_probe"
_MOST_CPU = Budget(limit=2.0)


@dataclass(frozen=True, slots=True)
class _Size:
    rounds: int
    spans: int
    seconds: float


# More than 16 MiB hold.
_FULL = _Size(rounds=3, spans=120_000, seconds=15.0)
_SMOKE = _Size(rounds=1, spans=500, seconds=0.2)


def run(*, smoke: bool) -> Result:
    """Explain the incident of a full window, in a process of its own each time."""
    if not variants.has_recorder():
        return Result(
            benchmark="explanation", figures=(), notes=["otel_flight cannot be used here"]
        )
    size = _SMOKE if smoke else _FULL
    probes = [_probe(size) for _ in range(size.rounds)]
    quantities = (
        ("spans in the window", "spans", "spans", 1, None),
        ("runtime events in it", "events", "events", 1, None),
        ("CPU of the explanation", "cpu_seconds", "s", 1, _MOST_CPU),
        ("longest slice", "longest_seconds", "ms", 1e3, None),
    )
    figures = []
    for quantity, key, unit, factor, budget in quantities:
        values = [each[key] * factor for each in probes]
        figures.append(
            Figure(
                quantity=quantity,
                variant=variants.INSTALLED,
                value=median(values),
                low=min(values),
                high=max(values),
                unit=unit,
                budget=budget,
            )
        )
    return Result(benchmark="explanation", figures=figures)


def _probe(size: _Size) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        return child_process.run(
            _PROBE,
            {"directory": directory, "spans": size.spans, "seconds": size.seconds},
            timeout_seconds=180,
        )
