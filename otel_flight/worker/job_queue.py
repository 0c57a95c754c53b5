"""Jobs for the worker that must not wait for a backend: writing an incident to disk, above all.

They run on the worker's thread, between two requests. When that thread is held up within an
exporter (a hanging backend holds it for ten seconds, an old exporter for a minute), another one
stands in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from otel_flight.ground.guard import Guard
from otel_flight.ground.native import Condition, Thread

PATIENCE_SECONDS: Final = 0.25
"""A job waits this many seconds for the worker's thread before another one stands in."""

Job = Callable[[], object]


class JobQueue:
    """Jobs in the order they came, run one at a time, by whichever thread gets to it.

    So what a job changes belongs to that job's thread while it runs, and to the next job's then.

    Args:
        guard: notes jobs that fail.
        changed: guards the queue; notified when a job came and when one is done.
    """

    def __init__(self, guard: Guard, changed: Condition) -> None:
        self._guard = guard
        self._changed = changed
        self._jobs: deque[Job] = deque()
        self._is_running = False
        self._has_stand_in = False

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def add(self, job: Job) -> None:
        """Add a job."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def run_all(self) -> None:
        """Run what is there, unless another thread is at it."""
        while True:
            with self._changed:
                if self._is_running or not self._jobs:
                    return
                self._is_running = True
                job = self._jobs.popleft()
            try:
                with self._guard.swallow("worker's job"):
                    job()
            finally:
                with self._changed:
                    self._is_running = False
                    self._changed.notify_all()

    def run_if_held_up(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for the worker's thread to run the jobs; run them here if it does not in time."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._jobs and not self._is_running, patience_seconds
            )
        self.run_all()

    def stand_in(self) -> None:
        """Let a thread of its own run the jobs if the worker's does not in time."""
        with self._changed:
            if self._has_stand_in:
                return
            self._has_stand_in = True
        try:
            Thread(self._stand_in, "otel-flight-flusher-stand-in").start()
        except RuntimeError:  # the interpreter is going down: `Worker.stop` runs them itself
            self._has_stand_in = False

    def _stand_in(self) -> None:
        try:
            self.run_if_held_up()
        finally:
            with self._changed:
                self._has_stand_in = False
                has_more = bool(self._jobs)
        if has_more:  # one came when this was about to end
            self.stand_in()
