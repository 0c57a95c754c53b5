"""What a learned limit and a fixed one say to a series of requests.

Counted is what the limit says to each request; how many incidents a gate with a cooldown that
doubles makes of it stands beside that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from benchmarks.latency.requests import Request
from benchmarks.measuring.figures import Figure
from otel_flight.assembly import Settings
from otel_flight.testing import FakeClock
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.triggers.roots.route_limits import WARM_UP_NS, RouteLimits

_COOLDOWN_SECONDS: Final = 60.0
_LONGEST_COOLDOWN_SECONDS: Final = 3600.0


@dataclass
class _Watched:
    """What one kind of limit says to a series."""

    false: int = 0
    missed: int = 0
    slow: int = 0
    incidents: int = 0
    faults: set[int] = field(default_factory=set)
    found: set[int] = field(default_factory=set)
    _cooldowns: dict[str, tuple[float, float]] = field(default_factory=dict)

    def see(self, request: Request, limit_ns: int) -> None:
        has_fired = request.seconds * 1e9 > limit_ns
        self.slow += request.is_slow
        self.missed += request.is_slow and not has_fired
        self.false += has_fired and not request.is_slow
        if request.is_slow and request.fault >= 0:
            self.faults.add(request.fault)
            if has_fired:
                self.found.add(request.fault)
        if has_fired:
            self._fire(request)

    def _fire(self, request: Request) -> None:
        not_before, cooldown = self._cooldowns.get(request.name, (0.0, _COOLDOWN_SECONDS))
        if request.at < not_before:
            return
        is_quiet = request.at > not_before + cooldown
        longer = min(_LONGEST_COOLDOWN_SECONDS, cooldown * 2)
        cooldown = _COOLDOWN_SECONDS if is_quiet else longer
        self._cooldowns[request.name] = request.at + cooldown, cooldown
        self.incidents += 1


def watch(title: str, requests: Iterable[Request]) -> list[Figure]:
    """Let both kinds of limit watch requests, which come by time; return what came of it."""
    clock = FakeClock()
    limits = LearnedLimits(clock)
    routes = RouteLimits(Settings(), limits)
    learned, fixed = _Watched(), _Watched()
    seen, now = 0, None
    for request in requests:
        clock.advance(request.at - (request.at if now is None else now))
        now = request.at
        seen += 1
        learned.see(request, routes.limit_ns(request.name))
        fixed.see(request, WARM_UP_NS)
        limits.note((request.name, int(request.seconds * 1e9)))
        limits.learn()
    return [
        Figure(quantity=quantity, variant=f"{title}; {kind}", value=value, unit="")
        for kind, watched in (("learned", learned), ("fixed, 1 s", fixed))
        for quantity, value in _counts(watched, seen).items()
    ]


def _counts(watched: _Watched, seen: int) -> dict[str, float]:
    counts: dict[str, float] = {
        "false fires in a million": watched.false / seen * 1e6,
        "slow ones": watched.slow,
        "of them missed": watched.missed,
        "incidents": watched.incidents,
    }
    if watched.faults:
        counts |= {"faults": len(watched.faults), "of them found": len(watched.found)}
    return counts
