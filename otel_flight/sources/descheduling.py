"""Times in which the process got no CPU, or one thread did not release the GIL.

The ticker's thread wants nothing but to be woken in time and to do a little work, so when it is
late something held it up, and with it every other thread that had something to do.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_flight.ground.clock import ClockPair
from otel_flight.names import event_names, source_names
from otel_flight.names import process_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings, halves
from otel_flight.sources.gil.holder import Holder, find_holder
from otel_flight.sources.gil.lateness import Reading, Stretch
from otel_flight.sources.kernel.run_queue import read_scheduled
from otel_flight.sources.kernel.thread_clocks import ThreadClocks

_TICKS_BETWEEN_READINGS: Final = 10


@dataclass(frozen=True, kw_only=True)
class DeschedulingSettings(SettingsGroup):
    """Which pauses of the whole process are recorded."""

    descheduled_seconds: float | None = setting_field("DESCHEDULED", 0.05, kinds.limit())
    """How late the background thread must be woken for it to be recorded: the process got no CPU,
    or another thread did not release the GIL."""


class Descheduling:
    """Record each time the ticker is late by `descheduled_seconds`.

    Pauses shorter than the ticker's wait (0.1 s, 0.8 s in a quiet process) can be over before it is
    due, and are not seen; of longer ones the beginning is not.

    Attributes:
        late: how often it was, by what was seen.
    """

    name = source_names.DESCHEDULING

    def __init__(self, seconds: float, surroundings: Surroundings, proc: str = "/proc") -> None:
        self._limit_ns = int(seconds * 1e9)
        self._events = surroundings.events
        self._open_spans = surroundings.open_spans
        self._waits = surroundings.waits
        self._clock = surroundings.clock
        self._proc = proc
        self._clocks = ThreadClocks()
        self._asked_ns = 0
        self._before: Reading | None = None
        self._checked_ns = 0
        self._ticks = 0
        self._queued_ns: int | None = None
        self.late = dict.fromkeys(
            (event_names.DESCHEDULED, event_names.GIL_HELD, event_names.GIL_CONTENDED), 0
        )

    def start(self) -> None:
        """Watch the ticker, and what it does before its first wait if this is its thread."""
        self._queued_ns = self._run_queue_ns()
        self._clocks.note()
        self._before = Reading.now(self._clock)
        self._checked_ns = self._before.monotonic_ns
        self._waits.watchers += (self,)

    def stop(self) -> None:
        """Watch no more."""
        self._waits.watchers = tuple(each for each in self._waits.watchers if each is not self)

    def tick(self) -> None:
        """Note the run queue now and then; the rest happens between tasks and around waits.

        Reading a file releases the GIL, which another thread may then hold: best not too often.
        """
        self._ticks += 1
        if self._ticks % _TICKS_BETWEEN_READINGS == 1:
            self._queued_ns = self._run_queue_ns()

    def counts(self) -> Mapping[str, int]:
        """Return how often the ticker was late, by what was seen."""
        return dict(self.late)

    def wait_begins(self, seconds: float) -> None:
        """Note how things stand; 5 µs, and 0.4 µs a thread."""
        self.task_is_over()
        self._asked_ns = int(seconds * 1e9)
        self._clocks.note()
        self._before = Reading.now(self._clock)

    def wait_is_over(self) -> None:
        """See whether it took longer than was asked for."""
        before, self._before = self._before, Reading.now(self._clock)
        self._checked_ns = self._before.monotonic_ns
        if before is not None:
            self._judge(Stretch(before, self._before, self._asked_ns))

    def task_is_over(self) -> None:
        """See whether the ticker was held up within its work, where it lets others run; 0.3 µs."""
        now_ns = self._clock.monotonic_ns()
        checked_ns, self._checked_ns = self._checked_ns, now_ns
        if self._before is not None and now_ns - checked_ns >= self._limit_ns:
            before, self._before = self._before, Reading.now(self._clock)
            self._judge(Stretch(before, self._before, None))
        elif not self._asked_ns:  # each task of the first tick for itself: they do most by far
            self._clocks.note()
            self._before = Reading.now(self._clock)

    def _judge(self, stretch: Stretch) -> None:
        if stretch.late_ns < self._limit_ns or stretch.is_clock_set_back:
            return
        interval_seconds = sys.getswitchinterval()
        holder = Holder()
        if stretch.verdict(interval_seconds) == event_names.GIL_HELD:
            # Before anything else: nobody has moved on yet.
            holder = find_holder(
                self._clocks,
                self._open_spans,
                stretch.late_ns,
                stretch.others_cpu_ns,
                stretch.asked_ns or 0,
            )
        queued_ns = self._run_queue_ns()
        if queued_ns is not None and self._queued_ns is not None:
            stretch = stretch._replace(queued_ns=queued_ns - self._queued_ns)
            self._queued_ns = queued_ns
        name = stretch.verdict(interval_seconds)
        if not name and stretch.may_be_stop(interval_seconds) and self._clocks.have_all_run():
            name = event_names.DESCHEDULED
        if name:
            self._record(
                stretch, event_names.GIL_CONTENDED if holder.is_contended else name, holder
            )

    def _record(self, stretch: Stretch, name: str, holder: Holder) -> None:
        self.late[name] += 1
        after = ClockPair(stretch.after.wall_ns, stretch.after.monotonic_ns)
        attributes: dict[str, Any] = {
            names.LATE: stretch.late_ns,
            names.PROCESS_CPU: stretch.others_cpu_ns,
            **holder.attributes,
        }
        if stretch.queued_ns is not None:
            attributes[names.RUN_QUEUE] = stretch.queued_ns
        self._events.record(
            RuntimeEvent(
                self.name,
                name,
                after.to_wall_ns(stretch.after.monotonic_ns - stretch.late_ns),
                after.wall_ns,
                holder.thread_id,
                *halves(holder.trace_id),
                holder.span_id,
                attributes,
            ),
            holder.places,
        )

    def _run_queue_ns(self) -> int | None:
        """Return how long this thread was ready to run without a CPU, since it began."""
        scheduled = read_scheduled(self._proc)
        return scheduled.queued_ns if scheduled is not None else None


def _build(settings: DeschedulingSettings, surroundings: Surroundings) -> Descheduling | None:
    limit = settings.descheduled_seconds
    return None if limit is None else Descheduling(limit, surroundings)


SOURCE: Final = SourceDescription(
    name=source_names.DESCHEDULING,
    settings=DeschedulingSettings,
    build=_build,
    lane="descheduling",
    docs="explanation/runtime-events.md",
)
