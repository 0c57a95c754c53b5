"""Medians of paired measurements with bootstrap intervals.

Variants are measured in short alternating slices, and compared only within a round: the machine's
drift is then the same on both sides. On a machine that others use, whole phases are slow; the 10th
percentiles then tell what an undisturbed round costs. Server processes differ by a few percent
among themselves, so where there are several, the interval comes from drawing processes too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

_RESAMPLES = 2000


class Estimate(NamedTuple):
    """A median and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def paired_difference(measured: Sequence[float], bare: Sequence[float]) -> Estimate:
    """Return the median of the differences, round by round."""
    return bootstrap([ours - theirs for ours, theirs in zip(measured, bare, strict=True)])


def paired_ratio(measured: Sequence[float], bare: Sequence[float]) -> Estimate:
    """Return the median of the ratios, round by round."""
    return bootstrap([ours / theirs for ours, theirs in zip(measured, bare, strict=True)])


def undisturbed_difference(measured: Sequence[float], bare: Sequence[float]) -> Estimate:
    """Return the difference of the 10th percentiles."""
    return _undisturbed(measured, bare, lambda ours, theirs: ours - theirs)


def undisturbed_ratio(measured: Sequence[float], bare: Sequence[float]) -> Estimate:
    """Return the ratio of the 10th percentiles."""
    return _undisturbed(measured, bare, lambda ours, theirs: ours / theirs)


def _undisturbed(
    measured: Sequence[float], bare: Sequence[float], compare: Callable[[float, float], float]
) -> Estimate:
    generator = random.Random(0)

    def redrawn() -> float:
        return compare(
            percentile(generator.choices(measured, k=len(measured)), 10),
            percentile(generator.choices(bare, k=len(bare)), 10),
        )

    return _estimate(compare(percentile(measured, 10), percentile(bare, 10)), redrawn, len(bare))


def bootstrap(values: Sequence[float]) -> Estimate:
    """Return the median of the values, drawn with repetition for the interval."""
    generator = random.Random(0)
    return _estimate(
        median(values), lambda: median(generator.choices(values, k=len(values))), len(values)
    )


def paired_process_ratio(
    measured: Sequence[Sequence[float]], bare: Sequence[Sequence[float]]
) -> Estimate:
    """Return the median of the ratios, process by process and round by round.

    Args:
        measured: For each process of the variant, its value in each round.
        bare: The same for the bare variant; its n-th process was measured next to the n-th here.
    """
    ratios = [
        [ours / theirs for ours, theirs in zip(process, bare_process, strict=True)]
        for process, bare_process in zip(measured, bare, strict=True)
    ]
    generator = random.Random(0)

    def redrawn() -> float:
        processes = generator.choices(ratios, k=len(ratios))
        return median(
            value for process in processes for value in generator.choices(process, k=len(process))
        )

    every_ratio = [value for process in ratios for value in process]
    return _estimate(median(every_ratio), redrawn, len(every_ratio))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which so many percent of the values lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


def _estimate(value: float, redrawn: Callable[[], float], samples: int) -> Estimate:
    if samples < 2:
        return Estimate(value, value, value)
    drawn = sorted(redrawn() for _ in range(_RESAMPLES))
    return Estimate(value, drawn[int(_RESAMPLES * 0.025)], drawn[int(_RESAMPLES * 0.975)])
