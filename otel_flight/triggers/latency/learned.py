"""What is slow for each kind of root, learned from how long they take.

An endpoint of 40 ms that takes 600 ms has something wrong with it; a report that always takes 8 s
has not. One limit for both is wrong for one of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from otel_flight.ground.clock import Clock
from otel_flight.records.normal_names import normal_name
from otel_flight.triggers.latency.sketch import LatencySketch

FACTOR: Final = 3.0
"""A root is slow that takes this many times what 99 % take at most, where nothing else is set."""
FLOOR_NS: Final = 500_000_000
"""A root that takes no more nanoseconds is not slow, where nothing else is set."""
LEAST_VALUES: Final = 20
"""A limit is learned from at least so many roots; until then the fixed limit applies."""
RARE_FACTOR: Final = 2.0
"""A root that one in a thousand is as slow as has to take so many times that: what happens now and
then, a cold cache say, is normal."""
MOST_ROUTES: Final = 256
"""Limits are learned for at most so many names; the fixed one applies to those that come later."""
EPISODE_GAP_NS: Final = 10_000_000_000
"""Slow roots are one episode as long as the next one comes within so many nanoseconds."""
EPISODE_NS: Final = 900_000_000_000
"""Only the first root of an episode is learned until that has lasted so many nanoseconds: what goes
on is normal by then, and what is wrong now and then stays wrong."""
_MOST_WAITING: Final = 1024
_MOST_NAMES: Final = 4096
_OFTEN: Final = 200
_BETWEEN_LOOKS_NS: Final = 5_000_000_000


class LearnedLimits:
    """How long roots take, and may take, by their normal names.

    Args:
        clock: a fake one in tests.

    Attributes:
        note: takes name and duration in ns of a root that ended. Any thread, 0.1 µs; when 1024 wait
            for `learn`, each new one makes the oldest be forgotten.
        factor: a root is slow that takes this many times what 99 % take at most, and
        floor_ns: more than this. Set once, before anything is noted.
        values: how many it has learned from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[tuple[str, int]] = deque(maxlen=_MOST_WAITING)
        self.note: Callable[[tuple[str, int]], None] = self._waiting.append
        self.factor = FACTOR
        self.floor_ns = FLOOR_NS
        self.values = 0
        self._sketches: dict[str, LatencySketch] = {}
        self._by_name: dict[str, str | None] = {}
        self._usual: dict[str, tuple[int, int]] = {}
        self._episodes: dict[str, tuple[int, int]] = {}
        self._changed: set[str] = set()
        self._next_look_ns = 0

    def limit_ns(self, name: str) -> int | None:
        """Return how long a root of a name may take; None: not known yet. Any thread, 4 µs."""
        return self._limit_of(normal_name(name))

    def usual_ns(self, name: str) -> int:
        """Return how long 99 of 100 roots of this name take at most; 0: that is not known."""
        return self._usual.get(normal_name(name), (0, 0))[0]

    def learn(self) -> None:
        """Take in what was noted. Ticker only; 1 µs a root."""
        now = self._clock.wall_ns() / 1e9
        for _ in range(len(self._waiting)):
            name, duration_ns = self._waiting.popleft()
            self.values += 1
            route = self._route_of(name)
            if route is not None and not self._is_of_episode(route, duration_ns):
                sketch = self._sketches[route]
                sketch.add(duration_ns, now)
                self._changed.add(route)
                if sketch.values <= _OFTEN:
                    self._look_at(route)
        monotonic_ns = self._clock.monotonic_ns()
        if self._changed and monotonic_ns >= self._next_look_ns:
            self._next_look_ns = monotonic_ns + _BETWEEN_LOOKS_NS
            for route in self._changed:
                self._look_at(route)
            self._changed = set()

    def knowledge(self) -> dict[str, LatencySketch]:
        """Return what was learned, to be kept. Ticker only; 1 µs a name."""
        return {
            route: sketch.copy()
            for route, sketch in self._sketches.items()
            if sketch.values >= LEAST_VALUES
        }

    def take_over(self, knowledge: Mapping[str, LatencySketch]) -> None:
        """Go on from what an earlier process knew. Ticker only."""
        for route, sketch in knowledge.items():
            own = self._sketches.get(route)
            is_room = own is not None or len(self._sketches) < MOST_ROUTES
            if is_room and (own is None or own.values < sketch.values):
                self._sketches[route] = sketch
                self._look_at(route)
        self._by_name.clear()

    def _limit_of(self, route: str) -> int | None:
        usual = self._usual.get(route)
        if usual is None:
            return None
        usual_ns, rare_ns = usual
        return max(self.floor_ns, int(self.factor * usual_ns), int(RARE_FACTOR * rare_ns))

    def _is_of_episode(self, route: str, duration_ns: int) -> bool:
        """Return whether a root is a slow one among others, of which it is not learned yet."""
        limit_ns = self._limit_of(route)
        if limit_ns is None or duration_ns <= limit_ns:
            return False
        now = self._clock.monotonic_ns()
        since_ns, last_ns = self._episodes.get(route, (now, now - EPISODE_GAP_NS - 1))
        is_new = now - last_ns > EPISODE_GAP_NS
        self._episodes[route] = (now if is_new else since_ns), now
        return not is_new and now - since_ns < EPISODE_NS

    def _route_of(self, name: str) -> str | None:
        try:
            return self._by_name[name]
        except KeyError:
            route: str | None = normal_name(name)
        if route not in self._sketches:
            if len(self._sketches) < MOST_ROUTES:
                self._sketches[str(route)] = LatencySketch()
            else:
                route = None
        if len(self._by_name) >= _MOST_NAMES:
            self._by_name.clear()
        self._by_name[name] = route
        return route

    def _look_at(self, route: str) -> None:
        sketch = self._sketches[route]
        if sketch.values >= LEAST_VALUES:
            usual_ns, rare_ns = sketch.quantiles_ns((0.99, 0.999))
            self._usual[route] = usual_ns, rare_ns
