"""How much an application stalls while a full window is written to an incident and sent.

The bare SDK, which sends nothing, shows what the machine itself adds from one phase to the next;
the deque is flushed by a thread that sends as fast as it can.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Budget, Figure, Result
from benchmarks.measuring.receiver_process import ReceiverProcess

NAMES = (variants.BARE, variants.OURS, variants.DEQUE)


@dataclass(frozen=True, slots=True)
class _Size:
    rhythms: Sequence[str]
    runs: int
    spans: int
    tail_seconds: float
    baseline_seconds: float
    quiet_seconds: float
    timeout_seconds: float


# 120,000 spans are more than 16 MiB hold.
_FULL = _Size(
    rhythms=("paced", "busy"),
    runs=3,
    spans=120_000,
    tail_seconds=2.0,
    baseline_seconds=5.0,
    quiet_seconds=3.0,
    timeout_seconds=90.0,
)
_SMOKE = _Size(
    rhythms=("paced",),
    runs=1,
    spans=500,
    tail_seconds=0.1,
    baseline_seconds=0.2,
    quiet_seconds=0.5,
    timeout_seconds=6.0,
)


def run(*, smoke: bool) -> Result:
    """Measure each variant and rhythm in processes of their own."""
    size = _SMOKE if smoke else _FULL
    figures = []
    for rhythm in size.rhythms:
        for name in variants.available(NAMES):
            runs = [_probe(name, rhythm, size) for _ in range(size.runs)]
            figures += _figures(name, rhythm, runs)
    note = f"medians of {size.runs} runs, between smallest and largest; 2 ms a paced unit"
    return Result(benchmark="flush_stall", figures=figures, notes=[note])


def _probe(name: str, rhythm: str, size: _Size) -> dict[str, Any]:
    with ReceiverProcess() as receiver, tempfile.TemporaryDirectory() as directory:
        configuration = {
            "variant": name,
            "rhythm": rhythm,
            "spans": size.spans,
            "tail_seconds": size.tail_seconds,
            "baseline_seconds": size.baseline_seconds,
            "quiet_seconds": size.quiet_seconds,
            "timeout_seconds": size.timeout_seconds,
            "directory": directory,
            "endpoint": receiver.endpoint,
            "counts_path": str(receiver.counts_path),
        }
        limit = size.timeout_seconds + 60
        result = child_process.run("benchmarks.incidents.flush_stall_probe", configuration, limit)
        return result | {"repeated_spans": receiver.received().repeated_spans}


def _figures(name: str, rhythm: str, runs: Sequence[Mapping[str, Any]]) -> list[Figure]:
    budget = Budget(limit=1.0) if name == variants.OURS else None
    figures = [
        _figure(f"{rhythm}: p99 before", name, [run["before"]["p99"] for run in runs], "ms"),
    ]
    figures += [
        _figure(
            f"{rhythm}: added {part}",
            name,
            [run["during"][part] - run["before"][part] for run in runs],
            "ms",
            budget if part == "p99" else None,
        )
        for part in ("p50", "p99", "max")
    ]
    figures.append(
        _figure(
            f"{rhythm}: p99 to before",
            name,
            [run["during"]["p99"] / run["before"]["p99"] for run in runs],
            "x",
        )
    )
    if name != variants.BARE:
        figures += [
            _figure(
                f"{rhythm}: trigger to last span", name, [run["flush_seconds"] for run in runs], "s"
            ),
            _figure(f"{rhythm}: received", name, [run["spans"] for run in runs], "spans"),
            _figure(
                f"{rhythm}: received again", name, [run["repeated_spans"] for run in runs], "spans"
            ),
        ]
    return figures


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
