"""Series of requests made from seeds: what is normal in them is known, and what is not."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.latency.requests import Request

_DAY_SECONDS = 86400.0


_Draw = Callable[[random.Random, float, float], tuple[float, bool]]
"""It returns how long a request takes, and whether something is wrong with it, by the time and by
which part of the series is over."""


@dataclass(frozen=True)
class Series:
    """Requests of one kind of root.

    Attributes:
        requests: how many.
        rate: of them in a second, on average.
        swing: the part by which the rate goes up and down in a day.
    """

    name: str
    requests: int
    rate: float
    draw: _Draw
    swing: float = 0.0

    def __iter__(self) -> Iterator[Request]:
        """Return the requests, the same ones each time."""
        rng = random.Random(self.name)
        now = 0.0
        for number in range(self.requests):
            day = math.sin(2 * math.pi * now / _DAY_SECONDS)
            now += rng.expovariate(self.rate * (1 + self.swing * day))
            yield Request(now, *self.draw(rng, now, number / self.requests))


def _around(rng: random.Random, seconds: float, spread: float) -> float:
    return seconds * rng.lognormvariate(0, spread)


def _steady(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    return _around(rng, 0.04, 0.5), False


def _wide(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    return _around(rng, 0.04, 1.0), False


def _diurnal(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    load = max(0.0, math.sin(2 * math.pi * now / _DAY_SECONDS))
    return _around(rng, 0.04 * (1 + 1.5 * load), 0.6), False


def _bimodal(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    is_other = rng.random() < 0.05
    return (_around(rng, 3.0, 0.3) if is_other else _around(rng, 0.02, 0.4)), False


def _rare_mode(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    is_other = rng.random() < 0.005
    return (_around(rng, 2.0, 0.3) if is_other else _around(rng, 0.02, 0.4)), False


def _cold_cache(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    is_cold = now % 3600 < 10
    return (_around(rng, 0.8, 0.4) if is_cold else _around(rng, 0.04, 0.5)), False


def _report(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    return _around(rng, 8.0, 0.15), False


def _step(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    return _around(rng, 0.04 if share < 0.5 else 0.3, 0.5), False


def _degraded(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    """Something is wrong for a minute of each two hours."""
    is_slow = now > 3600 and now % 7200 < 60
    return (_around(rng, 0.9, 0.2) if is_slow else _around(rng, 0.04, 0.5)), is_slow


def _now_and_then(rng: random.Random, now: float, share: float) -> tuple[float, bool]:
    is_slow = now > 60 and rng.random() < 1 / 20_000
    return (0.6 if is_slow else _around(rng, 0.04, 0.4)), is_slow


SERIES = (
    Series("steady", 300_000, 20, _steady),
    Series("wide: 1 % over ten times the median", 300_000, 20, _wide),
    Series("diurnal load", 600_000, 5, _diurnal, swing=0.8),
    Series("bimodal: 5 % take 3 s", 100_000, 5, _bimodal),
    Series("rarely another way: 0.5 % take 2 s", 300_000, 5, _rare_mode),
    Series("cold cache: 10 s of each hour", 400_000, 20, _cold_cache),
    Series("report: always 8 s", 3_000, 0.02, _report),
    Series("step: 40 ms, then 300 ms", 200_000, 20, _step),
    Series("degraded: 0.9 s, a minute of each 2 h", 600_000, 20, _degraded),
    Series("one in 20,000 takes 600 ms", 400_000, 20, _now_and_then),
)
