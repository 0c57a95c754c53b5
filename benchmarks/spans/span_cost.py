"""What keeping a span costs its `start()` and `end()`, in one process without a service.

Each variant has a tracer provider of its own. Slices of some 2000 spans alternate in random order,
the collector off within a slice, so that all variants meet the same caches, clock speed and drift.
`undisturbed` compares 10th percentiles: microseconds of a slow phase are not those of a fast one.
"""

from __future__ import annotations

import gc
import random
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from opentelemetry.sdk.trace import TracerProvider

from benchmarks.measuring import variants
from benchmarks.measuring.figures import Budget, Figure, Result
from benchmarks.measuring.paired_ratios import (
    bootstrap,
    paired_difference,
    paired_ratio,
    undisturbed_difference,
    undisturbed_ratio,
)
from benchmarks.measuring.span_work import SPANS_PER_TRACE, SpanWork

NAMES = (
    variants.BARE,
    variants.EMPTY,
    variants.OURS,
    variants.INSTALLED,
    variants.DEQUE,
    variants.BATCH,
)


@dataclass(frozen=True, slots=True)
class _Size:
    rounds: int
    traces_per_slice: int


_FULL = _Size(rounds=150, traces_per_slice=182)
_SMOKE = _Size(rounds=3, traces_per_slice=20)
_WARM_UP_ROUNDS = 3


def run(*, smoke: bool) -> Result:
    """Measure all variants and compare each with the bare SDK."""
    size = _SMOKE if smoke else _FULL
    with ExitStack() as stack:
        providers = {name: _provider(name, stack) for name in variants.available(NAMES)}
        microseconds = _measure(providers, size)
    return Result(benchmark="span_cost", figures=_figures(microseconds))


def _provider(name: str, stack: ExitStack) -> TracerProvider:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    provider = TracerProvider(shutdown_on_exit=False)
    variant = variants.open_variant(name, variants.Surroundings(directory=directory), provider)
    stack.callback(variant.close)
    return provider


def _measure(providers: Mapping[str, TracerProvider], size: _Size) -> dict[str, list[float]]:
    """Return the microseconds per span of each variant, round by round."""
    generator = random.Random(0)
    work = {name: SpanWork(provider) for name, provider in providers.items()}
    microseconds: dict[str, list[float]] = {name: [] for name in providers}
    for number in range(_WARM_UP_ROUNDS + size.rounds):
        for name in generator.sample(list(work), len(work)):
            seconds = _slice_seconds(work[name], size.traces_per_slice)
            # What a batch processor has queued would be exported in somebody else's slice.
            providers[name].force_flush()
            if number >= _WARM_UP_ROUNDS:
                spans = size.traces_per_slice * SPANS_PER_TRACE
                microseconds[name].append(seconds / spans * 1e6)
    return microseconds


def _slice_seconds(work: SpanWork, traces: int) -> float:
    gc.collect(0)
    gc.disable()
    try:
        begin = perf_counter()
        work.make_traces(traces)
        return perf_counter() - begin
    finally:
        gc.enable()


def _figures(microseconds: Mapping[str, list[float]]) -> list[Figure]:
    bare = microseconds[variants.BARE]
    figures = []
    for name, measured in microseconds.items():
        alone = bootstrap(measured)
        figures.append(
            Figure(quantity="start + end", variant=name, unit="µs/span", **alone._asdict())
        )
        if name == variants.BARE:
            continue
        is_ours = name == variants.OURS
        compared = [
            ("added", "µs/span", None, paired_difference(measured, bare)),
            (
                "added, undisturbed",
                "µs/span",
                Budget(limit=1.0),
                undisturbed_difference(measured, bare),
            ),
            ("ratio", "x", None, paired_ratio(measured, bare)),
            ("ratio, undisturbed", "x", Budget(limit=1.1), undisturbed_ratio(measured, bare)),
        ]
        figures += [
            Figure(
                quantity=quantity,
                variant=name,
                unit=unit,
                budget=budget if is_ours else None,
                **estimate._asdict(),
            )
            for quantity, unit, budget, estimate in compared
        ]
    return figures
