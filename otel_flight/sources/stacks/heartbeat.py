"""A beat on an event loop: a timer that sets itself again, and is late when the loop is blocked."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import Final, NamedTuple

from otel_flight.ground.clock import monotonic_ns, thread_time_ns
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import get_ident
from otel_flight.interpreter.concurrency.tasks import running_loop
from otel_flight.names import source_names

BUSY_SECONDS: Final = 0.02
"""A loop that works has a beat every so many seconds, and its stalls are measured to within
that."""
QUIET_BEATS: Final = 50
"""A loop that does nothing is let rest after this many beats: each wakes the process."""
_BUSY_SHARE: Final = 0.02
"""A loop works when its thread uses at least this share of a CPU; the beat takes 0.2 %."""
_MOST_WAITING: Final = 64


class LateBeat(NamedTuple):
    """A stall, as the beat after it measured it. Monotonic nanoseconds."""

    last_ns: int
    """The beat before: the stall began later."""
    due_ns: int
    """When the beat should have come: the stall began before."""
    came_ns: int
    run: int


class Heartbeat:
    """The beats of one loop.

    What runs on the loop's thread is `_beat` alone; the rest is for the ticker. Holds the loop
    weakly, and ends with it.

    Attributes:
        late: beats that were late, for the ticker to take.
        thread_id: of the thread that runs the loop.
        due_ns: when the next beat should come; 0: none is to come, the loop rests or has stopped.
        last_ns: when the last one came.
        run: counts how often the loop was seen to have stopped, as a timer waits then, too.
        is_serving: a request is open, so that the loop counts as working; the ticker sets it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, thread_id: int, limit_ns: int, guard: Guard
    ) -> None:
        self._loop = weakref.ref(loop)
        self._limit_ns = limit_ns
        self._guard = guard
        self._cpu_ns = 0
        self._quiet_beats = 0
        self._is_stopped = False
        self.late: deque[LateBeat] = deque(maxlen=_MOST_WAITING)
        self.thread_id = thread_id
        self.due_ns = 0
        self.last_ns = 0
        self.run = 0
        self.is_serving = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop; None when it is gone or closed."""
        loop = self._loop()
        return None if loop is None or loop.is_closed() else loop

    def keep_beating(self, loop: asyncio.AbstractEventLoop, *, is_wanted: bool) -> None:
        """Let the beat begin if it rests, or end if the loop has stopped. Ticker only.

        Args:
            loop: the loop.
            is_wanted: something is going on in the process.
        """
        if not loop.is_running():
            if self.due_ns:
                self.due_ns = 0
                self.run += 1
        elif not self.due_ns and (is_wanted or not self.last_ns):
            self.last_ns = self.last_ns or monotonic_ns()
            self.due_ns = monotonic_ns()
            try:
                loop.call_soon_threadsafe(self._begin, self.run)
            except RuntimeError:  # closed meanwhile
                self.due_ns = 0

    def stop(self) -> None:
        """Let the next beat be the last; it does nothing any more."""
        self._is_stopped = True

    def _begin(self, run: int) -> None:
        """Begin, on the loop's thread; a beat of an earlier run may still be to come."""
        self._cpu_ns = thread_time_ns()
        self._quiet_beats = 0
        self._beat(run)

    def _beat(self, run: int) -> None:
        try:
            loop = running_loop()
            if self._is_stopped or run != self.run or loop is None:
                return
            now = monotonic_ns()
            last_ns, due_ns = self.last_ns, self.due_ns
            if now - due_ns >= self._limit_ns:
                self.late.append(LateBeat(last_ns, due_ns, now, run))
            self.thread_id = get_ident()
            self.last_ns = now
            if self._is_quiet(now - last_ns):
                self.due_ns = 0
                return
            self.due_ns = now + int(BUSY_SECONDS * 1e9)
            loop.call_later(BUSY_SECONDS, self._beat, run)
        except Exception as error:  # noqa: BLE001
            self._guard.note(source_names.EVENT_LOOP, error)

    def _is_quiet(self, elapsed_ns: int) -> bool:
        """Return whether the loop does nothing, by the CPU time that its thread used."""
        cpu_ns = thread_time_ns()
        used_ns, self._cpu_ns = cpu_ns - self._cpu_ns, cpu_ns
        if self.is_serving or used_ns > elapsed_ns * _BUSY_SHARE:
            self._quiet_beats = 0
        else:
            self._quiet_beats += 1
        return self._quiet_beats >= QUIET_BEATS
