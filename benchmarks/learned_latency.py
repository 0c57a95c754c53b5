"""How often limits fire that are learned, and how often one that is fixed, on series of requests.

The series are made, from seeds: what is normal in them is known, and so is what is not. Counted is
what the limit says to each request; how many incidents a gate with a cooldown that doubles makes of
it stands beside that.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.figures import Figure, Result
from otel_flight.assembly import Settings
from otel_flight.testing import FakeClock
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.triggers.roots.route_limits import WARM_UP_NS, RouteLimits

_ROUTE = "GET /"
_DAY_SECONDS = 86400.0
_COOLDOWN_SECONDS, _LONGEST_COOLDOWN_SECONDS = 60.0, 3600.0
_SMOKE_REQUESTS = 2000


class Request(NamedTuple):
    """A request of a series.

    Attributes:
        at: when it ended, in seconds.
        seconds: how long it took.
        is_slow: whether something was wrong with it.
    """

    at: float
    seconds: float
    is_slow: bool = False


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


@dataclass
class _Watched:
    """What one kind of limit says to a series."""

    false: int = 0
    missed: int = 0
    slow: int = 0
    incidents: int = 0
    _not_before: float = 0.0
    _cooldown: float = _COOLDOWN_SECONDS

    def see(self, request: Request, limit_ns: int) -> None:
        has_fired = request.seconds * 1e9 > limit_ns
        self.slow += request.is_slow
        self.missed += request.is_slow and not has_fired
        self.false += has_fired and not request.is_slow
        if has_fired and request.at >= self._not_before:
            is_quiet = request.at > self._not_before + self._cooldown
            longer = min(_LONGEST_COOLDOWN_SECONDS, self._cooldown * 2)
            self._cooldown = _COOLDOWN_SECONDS if is_quiet else longer
            self._not_before = request.at + self._cooldown
            self.incidents += 1


def run(*, smoke: bool) -> Result:
    """Let both kinds of limit watch all series."""
    figures: list[Figure] = []
    for series in SERIES:
        seen = min(series.requests, _SMOKE_REQUESTS) if smoke else series.requests
        for name, watched in zip(("learned", "fixed, 1 s"), _watch(series, seen), strict=True):
            counts = {
                "false fires in a million": watched.false / seen * 1e6,
                "slow ones": watched.slow,
                "of them missed": watched.missed,
                "incidents": watched.incidents,
            }
            variant = f"{series.name}; {name}"
            figures += [
                Figure(quantity=quantity, variant=variant, value=value, unit="")
                for quantity, value in counts.items()
            ]
    return Result(benchmark="learned_latency", figures=figures)


def _watch(series: Series, most: int) -> tuple[_Watched, _Watched]:
    clock = FakeClock()
    limits = LearnedLimits(clock)
    routes = RouteLimits(Settings(), limits)
    learned, fixed = _Watched(), _Watched()
    before = 0.0
    for _, request in zip(range(most), series, strict=False):
        clock.advance(request.at - before)
        before = request.at
        learned.see(request, routes.limit_ns(_ROUTE))
        fixed.see(request, WARM_UP_NS)
        limits.note((_ROUTE, int(request.seconds * 1e9)))
        limits.learn()
    return learned, fixed
