"""A distribution in a few numbers: as exact as promised, bounded, and forgetful."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from otel_flight.triggers.latency.sketch import (
    GROWTH,
    HALF_LIFE_SECONDS,
    HALF_LIFE_VALUES,
    LatencySketch,
)

MILLISECOND = 1_000_000
DURATIONS = st.lists(st.integers(1000, 3600 * 10**9), min_size=1, max_size=200)


def filled(durations_ns: list[int], every_seconds: float = 0.0) -> LatencySketch:
    """Return a sketch of durations that came one after the other."""
    sketch = LatencySketch()
    for number, duration_ns in enumerate(durations_ns):
        sketch.add(duration_ns, 1e9 + number * every_seconds)
    return sketch


@given(DURATIONS, st.floats(0.01, 0.999))
def test_a_quantile_is_at_most_a_twentieth_too_large(durations_ns: list[int], share: float) -> None:
    """Of what came at the same time."""
    (quantile_ns,) = filled(durations_ns).quantiles_ns([share])

    rank = min(math.ceil(share * len(durations_ns) - 1e-9), len(durations_ns)) - 1
    exact = sorted(durations_ns)
    candidates = {exact[max(rank, 0)], exact[min(rank + 1, len(exact) - 1)]}
    assert any(each * 0.999 <= quantile_ns <= each * GROWTH * 1.001 for each in candidates)


@given(
    st.lists(st.integers(-(1 << 63), 1 << 70) | st.floats(), max_size=50),
    st.floats(0, 1),
)
def test_any_number_is_taken(durations_ns: list[Any], share: float) -> None:
    """A clock that goes back makes negative ones, and programs set any time."""
    assert filled(durations_ns).quantiles_ns([share])[0] >= 0


def test_an_empty_one_knows_nothing() -> None:
    """Zero is no duration."""
    assert LatencySketch().quantiles_ns([0.5, 0.99]) == [0, 0]


def test_what_was_hours_ago_counts_less() -> None:
    """After five half-lives, a service that became ten times as slow is that."""
    seconds = 1.0
    before = [40 * MILLISECOND] * int(HALF_LIFE_SECONDS)
    since = [400 * MILLISECOND] * int(5 * HALF_LIFE_SECONDS)

    median_ns, low_ns = filled(before + since, seconds).quantiles_ns([0.5, 0.01])

    assert 400 <= median_ns / MILLISECOND <= 420
    assert 40 <= low_ns / MILLISECOND <= 42


def test_what_comes_once_a_day_is_remembered() -> None:
    """As half of the newest values at least."""
    report = [8000 * MILLISECOND] * HALF_LIFE_VALUES

    sketch = filled([20 * MILLISECOND, *report], 86400.0)

    (low_ns,) = sketch.quantiles_ns([0.001])
    assert low_ns < 30 * MILLISECOND


def test_it_stays_small_for_ever() -> None:
    """A year of requests is a few hundred buckets, and no number overflows."""
    sketch = LatencySketch()
    rng = random.Random(3)
    for number in range(200_000):
        sketch.add(int(40 * MILLISECOND * rng.lognormvariate(0, 3)), number * 157.0)

    assert len(sketch.weights) < 600
    assert sketch.weight <= 1e9 * 2
    assert sketch.values == 200_000


def test_a_clock_that_goes_back_is_borne() -> None:
    """Nothing counts more than a new value."""
    sketch = LatencySketch()
    for now in (1e9, 1e9 - 5000, 0.0, 1e9 + 1):
        sketch.add(MILLISECOND, now)

    assert sketch.seen_at == 1e9 + 1
    assert len(sketch.weights) == 1


def test_settling_changes_no_quantile() -> None:
    """It only makes numbers smaller."""
    sketch = filled([MILLISECOND * (1 + number) for number in range(1000)], 60.0)
    before = sketch.quantiles_ns([0.1, 0.5, 0.99])

    sketch.settle()

    assert sketch.weight == 1
    assert sketch.quantiles_ns([0.1, 0.5, 0.99]) == before


def test_it_can_be_stored() -> None:
    """As JSON, and comes back the same; a copy is another one."""
    sketch = filled([MILLISECOND, 5 * MILLISECOND, 900], 60.0)

    stored = msgspec.json.decode(msgspec.json.encode(sketch), type=LatencySketch)

    assert stored == sketch == sketch.copy()
    sketch.copy().add(1, 2e9)
    assert stored == sketch
