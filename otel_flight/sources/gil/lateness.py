"""Why the ticker is late: it waited for the GIL, or got no CPU.

While a thread waits for the GIL, it asks for it every 5 ms and sleeps in between, which the
kernel counts as a voluntary switch each; a thread that gets no CPU, or is stopped, does not
switch at all. That tells the two apart, also when it was short.
"""

from __future__ import annotations

import resource
from typing import Final, NamedTuple

from otel_flight.ground.clock import Clock, process_time_ns, thread_time_ns
from otel_flight.names import event_names

_OWN_SWITCHES: Final = 2
"""A wait that is over in time makes at most this many voluntary switches."""
_LONGEST_INTERVAL_SECONDS: Final = 0.02
"""The switches say nothing where `sys.setswitchinterval` is longer than so many seconds."""
_MOST_IN_HOLD: Final = 1.3
"""While one thread holds the GIL, this one asks for it once every so often, which gives at most so
many times the time that it took; while others take turns with it, some more each time it gets it:
in the end two to five times, beside a thread that computes all the while."""
_OTHERS_CPU_IN_HOLD: Final = 0.25
_CPU_IN_HOLD_NS: Final = 50_000_000
"""Who held up the ticker's work by the GIL had a CPU for at least that part of the time, or for so
many nanoseconds."""
_OTHERS_CPU_IN_STOP: Final = 0.05
"""Where the process was stopped, its other threads had a CPU for at most this part of the time."""
_OF_THREAD: Final[int | None] = getattr(resource, "RUSAGE_THREAD", None)  # Linux


class Reading(NamedTuple):
    """How things stand at one moment, as the ticker's thread sees it."""

    monotonic_ns: int
    wall_ns: int
    process_cpu_ns: int
    own_cpu_ns: int
    switches: int | None
    """Voluntary ones of this thread; None where the kernel does not tell."""

    @classmethod
    def now(cls, clock: Clock) -> Reading:
        """Read everything, in about 2 µs, without releasing the GIL."""
        return cls(
            clock.monotonic_ns(),
            clock.wall_ns(),
            process_time_ns(),
            thread_time_ns(),
            None if _OF_THREAD is None else resource.getrusage(_OF_THREAD).ru_nvcsw,
        )


class Stretch(NamedTuple):
    """The time between two readings: a wait, or some work of the ticker."""

    before: Reading
    after: Reading
    asked_ns: int | None
    """How long the wait should have been; None: this was work, which takes its own time."""
    queued_ns: int | None = None
    """How long this thread was ready to run and had no CPU, where the kernel tells."""

    @property
    def late_ns(self) -> int:
        """How much longer it took than it should have."""
        own_ns = self.after.own_cpu_ns - self.before.own_cpu_ns
        expected_ns = own_ns if self.asked_ns is None else self.asked_ns
        return self.after.monotonic_ns - self.before.monotonic_ns - expected_ns

    @property
    def others_cpu_ns(self) -> int:
        """Processor time of the other threads of the process meanwhile."""
        own_ns = self.after.own_cpu_ns - self.before.own_cpu_ns
        return self.after.process_cpu_ns - self.before.process_cpu_ns - own_ns

    @property
    def is_clock_set_back(self) -> bool:
        """Whether the wall clock was: waits of Python 3.10 can go by it, and get longer then."""
        elapsed_ns = self.after.monotonic_ns - self.before.monotonic_ns
        return elapsed_ns - (self.after.wall_ns - self.before.wall_ns) > self.late_ns // 2

    def may_be_stop(self, interval_seconds: float) -> bool:
        """Return whether this was work in which the whole process may have been stopped.

        So may the ticker alone have waited for a disk: see whether the others ran, too.
        """
        asking_ns = self._asking_ns(interval_seconds) or 0
        return (
            self.asked_ns is None
            and asking_ns < self.late_ns / 2
            and self.others_cpu_ns <= self.late_ns * _OTHERS_CPU_IN_STOP
        )

    def verdict(self, interval_seconds: float) -> str:
        """Return why it took longer, empty when in doubt.

        Args:
            interval_seconds: after which a thread that wants the GIL asks for it again.
        """
        if self.asked_ns is None:
            return self._verdict_of_work(interval_seconds)
        asking_ns = self._asking_ns(interval_seconds)
        if asking_ns is None:
            if self.others_cpu_ns >= (self.asked_ns + self.late_ns) * 0.8:
                return event_names.GIL_HELD
        elif asking_ns >= self.late_ns / 2:
            return event_names.GIL_HELD
        # Or other threads of this process had a CPU: it is this one alone that had none.
        return (
            event_names.DESCHEDULED
            if self.others_cpu_ns - self.asked_ns <= self.late_ns / 2
            else ""
        )

    def _verdict_of_work(self, interval_seconds: float) -> str:
        """Work may also wait for a disk, with switches of its own: here others must have run.

        Or it waits for its turn with the GIL, whenever it has given it up to read a file.
        """
        asking_ns = self._asking_ns(interval_seconds)
        if asking_ns is not None and asking_ns >= self.late_ns / 2:
            is_one_hold = asking_ns <= self.late_ns * _MOST_IN_HOLD
            least_ns = min(self.late_ns * _OTHERS_CPU_IN_HOLD, _CPU_IN_HOLD_NS)
            have_others_run = self.others_cpu_ns >= least_ns
            return event_names.GIL_HELD if is_one_hold and have_others_run else ""
        return event_names.DESCHEDULED if (self.queued_ns or 0) >= self.late_ns / 2 else ""

    def _asking_ns(self, interval_seconds: float) -> int | None:
        """Return how long it asked for the GIL; None when that cannot be counted."""
        before, after = self.before.switches, self.after.switches
        if before is None or after is None or interval_seconds > _LONGEST_INTERVAL_SECONDS:
            return None
        return int(max(0, after - before - _OWN_SWITCHES) * interval_seconds * 1e9)
