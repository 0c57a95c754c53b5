"""The times in which the container's CPU limit held the process back.

The kernel lets a control group use its quota in each period, usually 100 ms, and stops it for the
rest of that period. To the program this looks like code that is slow for no reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.ground.clock import ClockPair
from otel_flight.names import event_names, source_names
from otel_flight.names import process_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings
from otel_flight.sources.kernel.control_group import ControlGroup, find_control_group
from otel_flight.sources.kernel.files import number_in, read_number, read_numbers, read_text

_LOOK_AGAIN_NS: Final = 30_000_000_000
"""Limits are read again after so many nanoseconds: they can be changed while a container runs."""
_LONGEST_NS: Final = 1_000_000_000
"""One event covers at most so many nanoseconds; throttling that goes on becomes several events."""


@dataclass(frozen=True)
class Quota:
    """What a level may use.

    Attributes:
        level: its directory.
        quota_ns: CPU time in each period.
        period_ns: how long a period is.
    """

    level: str
    quota_ns: int
    period_ns: int

    @property
    def processors(self) -> float:
        """The limit as a number of CPUs."""
        return self.quota_ns / self.period_ns

    def held_back_ns(self, periods: int, throttled_ns: int) -> int:
        """Return about how long work was held back, by the clock on the wall.

        What the kernel counts is a sum over CPUs: work that ran on four of them and was
        stopped for 30 ms counts 120 ms. In a period in which the quota was used up, work ran on
        `k` CPUs for `t` and was held back on as many for the rest: `k * t` is the quota and
        `k * (period - t)` what was counted.

        Args:
            periods: in which it was throttled.
            throttled_ns: what the kernel counted in them.
        """
        if periods <= 0 or throttled_ns <= 0:
            return 0
        demand_ns = periods * self.quota_ns + throttled_ns
        return min(throttled_ns, periods * self.period_ns * throttled_ns // demand_ns)


@dataclass
class _Level:
    """What was counted at a level, and since when it has been throttled without a break."""

    quota: Quota
    periods: int
    throttled_ns: int
    since_ns: int = 0
    since_periods: int = 0
    since_throttled_ns: int = 0


@dataclass(frozen=True, kw_only=True)
class ThrottlingSettings(SettingsGroup):
    """Whether throttling and pressure are recorded."""

    throttling: bool = setting_field("THROTTLING", True, kinds.flag())
    """Whether the times are recorded in which the container's CPU limit held the process back, or
    processes waited for CPU, memory or disk (pressure)."""


class CpuThrottling:
    """Record each stretch of throttling of each level that has a limit, in pieces of a second.

    Costs nothing where there is no limit.

    Args:
        surroundings: what a source is given.
        proc: where the process file system is mounted.
    """

    name = source_names.THROTTLING

    def __init__(self, surroundings: Surroundings, proc: str = "/proc") -> None:
        self._events = surroundings.events
        self._clock = surroundings.clock
        self._proc = proc
        self._group: ControlGroup | None = None
        self._levels: list[_Level] = []
        self._look_ns = 0
        self._last_ns = 0

    def start(self) -> None:
        """Nothing to install."""

    def stop(self) -> None:
        """Nothing to remove."""

    def tick(self) -> None:
        """Compare what was counted with the last tick."""
        now_ns = self._clock.monotonic_ns()
        group = self._group
        for level in self._levels:
            assert group is not None
            self._compare(group.version, level, now_ns)
        self._last_ns = now_ns
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + _LOOK_AGAIN_NS
            self._look()

    def _look(self) -> None:
        group = self._group = find_control_group("cpu", self._proc)
        quotas = [] if group is None else [read_quota(group.version, each) for each in group.levels]
        known = {level.quota: level for level in self._levels}
        self._levels = []
        for quota in quotas:
            if quota is not None and group is not None:
                counted = _counted(group.version, quota.level)
                self._levels.append(known.get(quota) or _Level(quota, *counted))

    def _compare(self, version: int, level: _Level, now_ns: int) -> None:
        periods, throttled_ns = _counted(version, level.quota.level)
        is_throttled = throttled_ns > level.throttled_ns
        if is_throttled and not level.since_ns:
            level.since_ns = self._last_ns
            level.since_periods = level.periods
            level.since_throttled_ns = level.throttled_ns
        end_ns = now_ns if is_throttled else self._last_ns
        level.periods, level.throttled_ns = periods, throttled_ns
        if level.since_ns and (not is_throttled or now_ns - level.since_ns >= _LONGEST_NS):
            self._record(level, end_ns)
            level.since_ns = 0

    def _record(self, level: _Level, end_ns: int) -> None:
        now = ClockPair.now(self._clock)
        periods = max(1, level.periods - level.since_periods)
        throttled_ns = level.throttled_ns - level.since_throttled_ns
        held_back_ns = level.quota.held_back_ns(periods, throttled_ns)
        self._events.record(
            RuntimeEvent(
                self.name,
                event_names.CPU_THROTTLED,
                now.to_wall_ns(level.since_ns),
                now.to_wall_ns(end_ns),
                attributes={
                    names.CPU_LIMIT: round(level.quota.processors, 3),
                    names.THROTTLED_PERIODS: periods,
                    names.THROTTLED_TIME: throttled_ns,
                    names.HELD_BACK: min(held_back_ns, end_ns - level.since_ns),
                },
            )
        )


def read_quota(version: int, level: str) -> Quota | None:
    """Return the limit of a level; None when it has none."""
    if version == 1:
        quota_us = read_number(f"{level}/cpu.cfs_quota_us")
        period_us = read_number(f"{level}/cpu.cfs_period_us")
    else:
        quota_text, _, period_text = read_text(f"{level}/cpu.max").partition(" ")
        quota_us, period_us = number_in(quota_text), number_in(period_text)
    if quota_us is None or period_us is None or quota_us <= 0 or period_us <= 0:
        return None
    return Quota(level, quota_us * 1000, period_us * 1000)


def _counted(version: int, level: str) -> tuple[int, int]:
    """Return in how many periods, and for how many nanoseconds, a level was throttled so far."""
    stat = read_numbers(f"{level}/cpu.stat")
    in_ns = stat.get("throttled_time", 0) if version == 1 else stat.get("throttled_usec", 0) * 1000
    return stat.get("nr_throttled", 0), in_ns


def _build(settings: ThrottlingSettings, surroundings: Surroundings) -> CpuThrottling | None:
    return CpuThrottling(surroundings) if settings.throttling else None


SOURCE: Final = SourceDescription(
    name=source_names.THROTTLING,
    settings=ThrottlingSettings,
    build=_build,
    lane="cpu throttling",
    docs="explanation/runtime-events.md",
)
