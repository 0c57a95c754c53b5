"""Keeps a long piece of work off the application's back: its GIL and its share of the CPU.

What does not work: encoding a whole chunk at a stretch (an application thread that wants the GIL
back waits 5 ms, the interpreter's switch interval, each time); `time.sleep(0)` in between (the GIL
is taken again before the waiting thread has woken up). So the work is cut into pieces below half a
millisecond, and between two of them this thread really sleeps, just long enough for another one to
wake. A token bucket of CPU time sees to the share; what is owed to it is slept off at longer
intervals, as each long sleep leaves cold caches behind, and many of them double the work.

Where others want the CPU, too, the kernel takes it away in the middle of a piece, and the GIL stays
taken. So the time in the queue for a CPU counts like time on it: the share is one of what there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otel_flight.ground.clock import SYSTEM_CLOCK, Clock, thread_time_ns
from otel_flight.ground.deadline import Deadline, OutOfTime
from otel_flight.ground.native import sleep
from otel_flight.sources.kernel.run_queue import read_scheduled

LONGEST_PIECE_NS: Final = 400_000
"""A piece of work lasts this many nanoseconds, then other threads may have the GIL."""
SHORTEST_SLEEP_SECONDS: Final = 50e-6
"""A sleep lasts at least this many seconds, which a waiting thread takes to wake up."""
LEAST_DEBT_NS: Final = 10_000_000
"""A debt to the bucket is slept off once it is this many nanoseconds."""
_LATE_NS: Final = 500_000
"""After a piece that took so many nanoseconds longer than it should, the kernel is asked whether it
waited for a CPU, or for something else."""
_LONGEST_SLEEP_SECONDS: Final = 0.5
"""A sleep lasts at most this many seconds; the rest of the debt is for the next one."""
_BUCKET_NS: Final = 20_000_000
"""The bucket saves up at most this many nanoseconds while this thread waits for an answer."""


def run_queue_ns() -> int:
    """Return how long this thread was ready to run and had no CPU; 0: the kernel does not tell."""
    scheduled = read_scheduled("/proc")
    return 0 if scheduled is None else scheduled.queued_ns


class Pacer:
    """Yields the GIL now and then, so that this thread takes at most a share of one CPU.

    For one thread at a time. Between `begin` and the end of the work, call `yield_if_due` after
    every item; it costs a tenth of a microsecond when it is not.

    Args:
        share: of one CPU, above 0; 1 is all of it, with short sleeps to let others run.
        clock: to measure pieces of work by.
        thread_time_ns: tells the CPU time of the calling thread.
        run_queue_ns: tells how long that thread was ready to run and had no CPU.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        share: float,
        *,
        clock: Clock = SYSTEM_CLOCK,
        thread_time_ns: Callable[[], int] = thread_time_ns,
        run_queue_ns: Callable[[], int] = run_queue_ns,
        sleep: Callable[[float], object] = sleep,
    ) -> None:
        self._share = share
        self._monotonic_ns = clock.monotonic_ns
        self._thread_time_ns = thread_time_ns
        self._run_queue_ns = run_queue_ns
        self._sleep = sleep
        self._deadline: Deadline | None = None
        self.begin()

    def begin(self) -> None:
        """Forget what was used and saved up so far; now on this thread."""
        self._yield_at_ns = self._monotonic_ns() + LONGEST_PIECE_NS
        self._started_ns = self._monotonic_ns()
        self._queued_ns = self._run_queue_ns()
        self._used_from_ns = self._thread_time_ns() + self._queued_ns

    def hurry(self, deadline: Deadline) -> None:
        """Yield nothing from now on, and nothing is to be done after that. Any thread."""
        self._deadline = deadline

    def yield_if_due(self) -> None:
        """Yield the GIL if the work has gone on for long enough."""
        if self._monotonic_ns() >= self._yield_at_ns:
            self.yield_gil()

    def yield_in_time(self) -> None:
        """Yield as `yield_if_due`, within work that is in vain when there is no time for the rest.

        Raises:
            OutOfTime: the process ends, and there is none.
        """
        if self._monotonic_ns() >= self._yield_at_ns:
            self.yield_gil()
            if self._deadline is not None and self._deadline.has_passed:
                raise OutOfTime

    def yield_gil(self) -> None:
        """Let other threads run, for as long as the share demands."""
        now_ns = self._monotonic_ns()
        if self._deadline is not None:
            self._yield_at_ns = now_ns + LONGEST_PIECE_NS
            return
        if now_ns - self._yield_at_ns > _LATE_NS:
            self._queued_ns = self._run_queue_ns()
        used_ns = self._thread_time_ns() + self._queued_ns - self._used_from_ns
        owed_ns = used_ns / self._share - (now_ns - self._started_ns)
        if owed_ns < -_BUCKET_NS:
            self._started_ns -= int(owed_ns + _BUCKET_NS)
        if owed_ns >= LEAST_DEBT_NS:
            self._sleep(min(owed_ns / 1e9, _LONGEST_SLEEP_SECONDS))
        else:
            self._sleep(SHORTEST_SLEEP_SECONDS)
        self._yield_at_ns = self._monotonic_ns() + LONGEST_PIECE_NS
