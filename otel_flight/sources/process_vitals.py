"""What the process as a whole uses, now and then: memory, CPU, threads, files, tasks.

Read from a few small files of Linux. Where there is no /proc, what the interpreter itself can tell
is noted, and the rest is left out.
"""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from otel_flight.ground.clock import process_time_ns
from otel_flight.ground.native import posix
from otel_flight.interpreter.concurrency.tasks import count_tasks
from otel_flight.names import event_names, source_names
from otel_flight.names import process_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings
from otel_flight.sources.kernel.files import read_text
from otel_flight.sources.kernel.memory_limit import MemoryLimit
from otel_flight.sources.kernel.oom_kills import oom_counter, oom_kills
from otel_flight.sources.kernel.pace import Pace

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_COUNT_FILES_EVERY: Final = 10
"""Open files are listed with every tenth event only, on kernels before 6.2, which tell their number
in no other way."""


@dataclass(frozen=True, kw_only=True)
class ProcessSettings(SettingsGroup):
    """How often the use of resources is noted."""

    process_seconds: float | None = setting_field(
        "PROCESS", 1.0, kinds.or_off(kinds.duration(0.1, 3600))
    )
    """How often memory, CPU time, threads, tasks and open files of the process are noted; five
    times less often in a process that does nothing."""


class ProcessVitals:
    """Record an event every `process_seconds`, less often while nothing goes on.

    Args:
        surroundings: what a source is given.
        proc: where the process file system is mounted.
        used_ns: reads the CPU time that the process has used.
    """

    name = source_names.PROCESS

    def __init__(
        self,
        seconds: float,
        surroundings: Surroundings,
        proc: str = "/proc",
        used_ns: Callable[[], int] = process_time_ns,
    ) -> None:
        self._pace = Pace(int(seconds * 1e9), surroundings.open_spans, used_ns)
        self._events = surroundings.events
        self._clock = surroundings.clock
        self._proc = proc
        self._memory_limit = MemoryLimit(proc)
        self._oom_counter = oom_counter(proc)
        self._events_made = 0
        self._open_files = 0
        self._last: tuple[int, float] | None = None

    def start(self) -> None:
        """Nothing to install."""

    def stop(self) -> None:
        """Nothing to remove."""

    def tick(self) -> None:
        """Record the vitals when it is time to."""
        now_ns = self._clock.monotonic_ns()
        if not self._pace.is_due(now_ns):
            return
        wall_ns = self._clock.wall_ns()
        attributes = self._vitals(now_ns)
        self._events_made += 1
        event = RuntimeEvent(
            self.name, event_names.PROCESS_VITALS, wall_ns, wall_ns, attributes=attributes
        )
        self._events.record(event)

    def _vitals(self, now_ns: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            **self._cpu(now_ns),
            **(_memory_and_threads(f"{self._proc}/self/stat") or _python_threads()),
            **_switches(),
        }
        open_files = self._count_open_files()
        if open_files:
            found[names.OPEN_FILES] = open_files
        tasks = count_tasks()
        if tasks:
            found[names.TASKS] = tasks
        container = self._memory_limit.read()
        if container is not None:
            found[names.CONTAINER_MEMORY] = container.usage
            found[names.CONTAINER_MEMORY_HELD] = container.held
            if container.limit is not None:
                found[names.CONTAINER_MEMORY_LIMIT] = container.limit
        if kills := oom_kills(self._oom_counter):
            found[names.OOM_KILLS] = kills
        return found

    def _cpu(self, now_ns: int) -> dict[str, float]:
        times = posix.times()
        used = times.user + times.system
        last, self._last = self._last, (now_ns, used)
        found = {names.CPU_TIME: round(used, 3)}
        if last is not None and now_ns > last[0]:
            share = (used - last[1]) * 1e9 / (now_ns - last[0]) / _processors()
            found[names.CPU_UTILIZATION] = round(max(0.0, share), 4)
        return found

    def _count_open_files(self) -> int:
        directory = f"{self._proc}/self/fd"
        try:
            count = posix.stat(directory).st_size
            if not count and self._events_made % _COUNT_FILES_EVERY == 0:
                count = len(posix.listdir(directory)) - 1
        except OSError:
            return 0
        if count:
            self._open_files = count
        return self._open_files


def _memory_and_threads(file: str) -> dict[str, int]:
    # The second field is the program's name in parentheses, which may contain anything.
    fields = read_text(file).rpartition(")")[2].split()
    try:
        return {
            names.MEMORY: int(fields[21]) * _PAGE_BYTES,
            names.VIRTUAL_MEMORY: int(fields[20]),
            names.THREADS: int(fields[17]),
        }
    except (IndexError, ValueError):
        return {}


def _python_threads() -> dict[str, int]:
    return {names.THREADS: threading.active_count()}


def _switches() -> dict[str, int]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        names.SWITCHES_VOLUNTARY: usage.ru_nvcsw,
        names.SWITCHES_INVOLUNTARY: usage.ru_nivcsw,
        names.MAJOR_FAULTS: usage.ru_majflt,
    }


def _processors() -> int:
    allowed = getattr(os, "sched_getaffinity", None)
    return (len(allowed(0)) if allowed is not None else os.cpu_count()) or 1


def _build(settings: ProcessSettings, surroundings: Surroundings) -> ProcessVitals | None:
    limit = settings.process_seconds
    return None if limit is None else ProcessVitals(limit, surroundings)


SOURCE: Final = SourceDescription(
    name=source_names.PROCESS,
    settings=ProcessSettings,
    build=_build,
    lane="process",
    docs="explanation/runtime-events.md",
)
