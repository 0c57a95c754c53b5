"""Pressure stall information: how long work waited for a CPU, for memory or for a disk.

Of the container where the kernel accounts for it, else of the whole machine: then it may be another
program that suffers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from otel_flight.ground.clock import ClockPair, process_time_ns
from otel_flight.names import event_names, source_names
from otel_flight.names import process_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings.declaration import SettingsGroup
from otel_flight.sources.base import SourceDescription, Surroundings
from otel_flight.sources.kernel.control_group import find_control_group
from otel_flight.sources.kernel.files import number_in, read_text
from otel_flight.sources.kernel.pace import Pace

RESOURCES: Final = {
    "cpu": event_names.CPU_PRESSURE,
    "memory": event_names.MEMORY_PRESSURE,
    "io": event_names.IO_PRESSURE,
}
LEAST_SHARE: Final = 0.1
"""A second is recorded in which something waited for at least this share of it."""
_PERIOD_NS: Final = 1_000_000_000
_TOTAL: Final = "total="


class _Stalled(NamedTuple):
    some_ns: int
    full_ns: int


class Pressure:
    """Record each second in which something waited for a resource for a tenth of the time.

    Of a process that does nothing, five seconds are looked at as one.

    Args:
        surroundings: what a source is given.
        proc: where the process file system is mounted.
        used_ns: reads the CPU time that the process has used.
    """

    name = source_names.PRESSURE

    def __init__(
        self,
        surroundings: Surroundings,
        proc: str = "/proc",
        used_ns: Callable[[], int] = process_time_ns,
    ) -> None:
        self._pace = Pace(_PERIOD_NS, surroundings.open_spans, used_ns)
        self._events = surroundings.events
        self._clock = surroundings.clock
        self._proc = proc
        self._files: dict[str, tuple[str, str]] | None = None
        self._last: dict[str, _Stalled] = {}
        self._last_ns = 0

    def start(self) -> None:
        """Nothing to install."""

    def stop(self) -> None:
        """Nothing to remove."""

    def tick(self) -> None:
        """Compare the totals with those of a second ago."""
        now_ns = self._clock.monotonic_ns()
        if not self._pace.is_due(now_ns):
            return
        if self._files is None:
            self._files = self._find_files()
        last, start_ns = self._last, self._last_ns
        self._last, self._last_ns = {}, now_ns
        for resource, (file, scope) in self._files.items():
            stalled = _read(file)
            if stalled is None:
                continue
            self._last[resource] = stalled
            if resource in last:
                some_ns = stalled.some_ns - last[resource].some_ns
                full_ns = stalled.full_ns - last[resource].full_ns
                if some_ns >= LEAST_SHARE * (now_ns - start_ns):
                    self._record(resource, scope, start_ns, now_ns, _Stalled(some_ns, full_ns))

    def _find_files(self) -> dict[str, tuple[str, str]]:
        """Return for each resource the file that tells, and whose pressure it is."""
        group = find_control_group("", self._proc)
        own = group.levels[0] if group is not None and _is_part(group.levels[0]) else ""
        found = {}
        for resource in RESOURCES:
            of_container = f"{own}/{resource}.pressure"
            of_machine = f"{self._proc}/pressure/{resource}"
            if own and _read(of_container) is not None:
                found[resource] = of_container, "container"
            elif _read(of_machine) is not None:
                found[resource] = of_machine, "machine"
        return found

    def _record(
        self, resource: str, scope: str, start_ns: int, end_ns: int, stalled: _Stalled
    ) -> None:
        now = ClockPair.now(self._clock)
        self._events.record(
            RuntimeEvent(
                self.name,
                RESOURCES[resource],
                now.to_wall_ns(start_ns),
                now.to_wall_ns(end_ns),
                attributes={
                    names.PRESSURE_SCOPE: scope,
                    names.STALLED: stalled.some_ns,
                    names.FULLY_STALLED: stalled.full_ns,
                },
            )
        )


def _is_part(level: str) -> bool:
    """Return whether a group is not the machine as a whole: that one has no type."""
    return bool(read_text(f"{level}/cgroup.type"))


def _read(file: str) -> _Stalled | None:
    """Return the totals of a file of pressure; None when there is none, or it is turned off."""
    totals = {}
    for line in read_text(file).splitlines():
        kind, _, fields = line.partition(" ")
        for field in fields.split():
            number = number_in(field.removeprefix(_TOTAL)) if field.startswith(_TOTAL) else None
            if number is not None:
                totals[kind] = number * 1000
    return _Stalled(totals["some"], totals.get("full", 0)) if "some" in totals else None


class _Switch(Protocol):
    """The setting of throttling, which turns this source on as well."""

    @property
    def throttling(self) -> bool: ...


def _build(settings: _Switch, surroundings: Surroundings) -> Pressure | None:
    return Pressure(surroundings) if settings.throttling else None


SOURCE: Final = SourceDescription(
    name=source_names.PRESSURE,
    settings=SettingsGroup,
    build=_build,
    lane="pressure",
    docs="explanation/runtime-events.md",
)
