"""The one thread that wakes regularly, so that application threads never have to."""

from __future__ import annotations

import contextlib
from _thread import LockType
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import Thread, allocate_lock, is_refused_at_end, leave_no_trace
from otel_flight.recording.tick_waits import TickWaits

THREAD_NAME: Final = "otel-flight-ticker"
"""The name of the thread, for those who look for threads of ours."""

Task = tuple[str, Callable[[], None]]
"""A task is a name for error reports, and what to do on each tick."""

QUIET_TICKS: Final = 10
"""After this many ticks without any activity, the ticker slows down."""
QUIET_FACTOR: Final = 8
"""When it has slowed down, the time between two ticks is this many times as long."""

_LONGEST_TICK_SECONDS: Final = 60.0
"""After a fork, a tick that was going on before it is waited for at most so many seconds."""


def _nothing() -> None:
    """Do nothing: what most threads end with."""


def _watch_nothing(rouse: Callable[[], None]) -> None:
    """Do nothing: waits have their time."""


class Ticker:
    """Run tasks in turn, every `tick_seconds`, on a daemon thread.

    A process that does nothing is woken eight times less often, until it does something again: a
    wake-up costs ten times what the tasks do. A task that fails is reported once and runs again at
    the next tick; the others do not notice.

    Args:
        tick_seconds: the time between two ticks.
        tasks: what to do.
        guard: notes tasks that fail.
        activity: returns a value that changes when the process does something.
        waits: tells its watchers of the waits in between.
        watch: called before a long wait with what ends it, when the process does something.
    """

    def __init__(  # noqa: PLR0917
        self,
        tick_seconds: float,
        tasks: Sequence[Task],
        guard: Guard,
        activity: Callable[[], object] = object,
        waits: TickWaits | None = None,
        watch: Callable[[Callable[[], None]], None] = _watch_nothing,
    ) -> None:
        self._tick_seconds = tick_seconds
        self._tasks = tasks
        self._guard = guard
        self._activity = activity
        self._waits = TickWaits() if waits is None else waits
        self._watch = watch
        self._seen: object = None
        self._quiet_ticks = 0
        # Held while the ticker should run. Waiting for a lock costs a fifth of waiting for an
        # event, which makes a new lock each time.
        self._running = allocate_lock()
        self._running.acquire()
        self._thread = Thread(partial(self._run, self._running), THREAD_NAME)
        self._is_paused = self._is_stopped = self._is_roused = False
        self._jobs: deque[tuple[int, Callable[[], None]]] = deque()  # with the tick they wait for
        self._last: Callable[[], None] = _nothing
        self._begun = 0
        self.ticks = 0

    def start(self, thread: Thread | None = None) -> None:
        """Start the thread, unless it was started before. Where the program is ending, do without.

        Args:
            thread: the calling thread, if it is to be the ticker's: it goes on with `run_on`.

        Raises:
            RuntimeError: no thread can be started.
        """
        if self._thread.is_started:
            return
        if thread is not None:
            self._thread = thread
            return
        try:
            self._thread.start()
        except RuntimeError as error:
            if not is_refused_at_end(error):
                raise

    def run_on(self, thread: Thread) -> None:
        """Tick on the calling thread, if that is the ticker's."""
        if thread is self._thread:
            self._run(self._running)

    def stop(self, deadline: Deadline) -> bool:
        """Ask the thread to end and wait for it; return whether no tick goes on. Idempotent."""
        self._is_stopped = True
        with contextlib.suppress(RuntimeError):  # released by another thread just now
            self._running.release()
        if not self._thread.is_started or self._thread.is_current():
            return True
        return self._thread.join(deadline.seconds_left)

    def pause(self, timeout_seconds: float) -> None:
        """Let the thread end, so that there is none while the process forks. Not for the ticker."""
        if not self._thread.is_started or not self._running.locked():
            return
        self._is_paused = True
        with contextlib.suppress(RuntimeError):  # released by another thread just now
            self._running.release()
        self._thread.leave(timeout_seconds)

    def resume(self) -> None:
        """Go on after a pause, on a thread that waits for the end of the one before."""
        if not self._is_paused:
            return
        self._is_paused = False
        before, running = self._thread, allocate_lock()
        running.acquire()
        self._running = running
        self._thread = Thread(partial(self._go_on, running, before), THREAD_NAME)
        # Another thread may stop it just now; or no thread can be started, and there are no ticks.
        if not self._is_stopped:
            with contextlib.suppress(RuntimeError):
                self._thread.start()
        if self._is_stopped and running.locked():
            running.release()

    def end_with(self, last: Callable[[], None]) -> Callable[[float], bool]:
        """Let the thread do something and end, after a tick it may be in; return how to wait.

        Never waits; for signal handlers.
        """
        self._last = last
        self._is_stopped = True
        with contextlib.suppress(RuntimeError):  # released by another thread just now
            self._running.release()
        return self._thread.join

    def next_wait_seconds(self) -> float:
        """Return how long to wait for the next tick, judged by what went on since the last call."""
        seen, self._seen = self._seen, self._activity()
        self._quiet_ticks = self._quiet_ticks + 1 if seen == self._seen else 0
        if self._quiet_ticks >= QUIET_TICKS:
            self._watch(self.rouse)
            if self._activity() == self._seen:
                return self._tick_seconds * QUIET_FACTOR
        return self._tick_seconds

    def after_tick(self, job: Callable[[], None]) -> None:
        """Run a job once, on the ticker's thread, after a tick that begins later. Any thread."""
        self._jobs.append((self._begun + 1, job))

    def rouse(self) -> None:
        """End a long wait: the next tick follows as in a process that does something.

        Any thread; never waits. What has just begun is thus seen as soon as in a busy process.
        """
        self._is_roused = True
        self.wake()

    def wake(self) -> None:
        """Let the next tick begin now. Any thread; never waits."""
        with contextlib.suppress(RuntimeError):  # another thread has woken it just now
            self._running.release()

    def _run(self, running: LockType) -> None:
        self._waits.begin(0.0, self._guard)  # from here on the watchers see the first tick, too
        self._waits.end(self._guard)
        self.tick()
        self._keep_ticking(running)

    def _go_on(self, running: LockType, before: Thread) -> None:
        """Tick where another thread left off, which may still be in its last tick."""
        before.join(_LONGEST_TICK_SECONDS)
        self._keep_ticking(running)

    def _keep_ticking(self, running: LockType) -> None:
        while not self._wait(running, self.next_wait_seconds()):
            is_roused, self._is_roused = self._is_roused, False
            if self._jobs or not is_roused:  # who left a job has woken it, too
                self.tick()
        running.release()
        self._last()

    def _wait(self, running: LockType, seconds: float) -> bool:
        """Wait for the next tick; return whether there is to be none."""
        self._waits.begin(seconds, self._guard)
        is_released = running.acquire(True, seconds)
        self._waits.end(self._guard)
        return is_released and (self._is_stopped or self._is_paused or running is not self._running)

    def tick(self) -> None:
        """Run every task once; when the ticker is told to end, that does the rest."""
        self._begun += 1
        for name, task in self._tasks:
            if self._is_stopped:
                break
            with self._guard.swallow(name):
                task()
            self._waits.task_done(self._guard)
        while self._jobs and self._jobs[0][0] <= self._begun:
            with self._guard.swallow("job"):
                self._jobs.popleft()[1]()
        self._guard.report()
        leave_no_trace()
        self.ticks += 1
