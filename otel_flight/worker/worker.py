"""The one thread that does what takes long: jobs, and delivering.

It stands above `incidents`, whose writer's work comes as jobs, above `delivery` and `notification`;
it knows no incident.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from otel_flight.delivery.delivery import LOOK_AGAIN_SECONDS, CheckIn
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import suppressed_instrumentation
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import Condition, Thread, getpid, leave_no_trace
from otel_flight.worker.job_queue import PATIENCE_SECONDS, Job, JobQueue

THREAD_NAME: Final = "otel-flight-flusher"
_ABORT_SHARE: Final = 0.1
"""This part of a stop's timeout is kept for getting out of a hanging exporter."""


class Task(Protocol):
    """What is done besides jobs: a delivery, say, and see `delivery.Delivery`."""

    def deliver_due(self, check_in: CheckIn) -> float | None:
        """Do what is due; return in how many seconds to come again, None: when there is news."""
        ...

    def has_unsent(self) -> bool:
        """Return whether an incident of this process is still to be sent. Any thread."""
        ...

    def abort(self, timeout_seconds: float) -> None:
        """Let what hangs return. Any thread; bounded."""
        ...


class Worker:
    """Runs jobs, and deliveries whenever something is due, on a daemon thread. Any thread.

    The thread starts with the first job or `start`. In a forked child an inherited worker does
    nothing; the child makes its own.

    The deliveries belong to the worker's thread, but for what they say any thread may call. Jobs
    run one at a time, mostly there, sometimes on a thread that stands in.

    Args:
        deliveries: what is done besides jobs, in this order.
        guard: notes jobs and deliveries that fail for reasons nobody thought of.
        pacer: what the deliveries are paced by.
    """

    def __init__(
        self,
        deliveries: Sequence[Task],
        guard: Guard,
        pacer: Pacer,
    ) -> None:
        self._pid = getpid()
        self._deliveries = deliveries
        self._guard = guard
        self._pacer = pacer
        # Guards the jobs, _thread, _is_woken, _is_idle, _stop_at; notified when they change.
        self._changed = Condition()
        self._jobs = JobQueue(guard, self._changed)
        self._thread: Thread | None = None
        self._is_woken = False
        self._is_idle = False
        self._stop_at: Deadline | None = None
        self._is_delivering = False
        self._is_paused = False

    def start(self) -> None:
        """Begin to deliver what is in the spool. Idempotent; does nothing after `stop`."""
        self.wake()

    def wake(self) -> None:
        """Look into the spool now, whatever failed before. Returns at once."""
        if self._is_inherited():
            return
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()
        self._ensure_thread()

    def submit(self, job: Job) -> None:
        """Run a job on the worker's thread soon, between two requests if need be. Returns at once.

        When that thread is held up within an exporter, a thread of its own runs the job; after
        `stop`, the calling thread does.
        """
        if self._is_inherited():
            return
        self._jobs.add(job)
        if self._stop_at is not None:
            self._jobs.run_all()
            return
        self._ensure_thread()
        if self._is_delivering:
            self._jobs.stand_in()

    def stop(self, deadline: Deadline) -> bool:
        """Run all jobs, deliver the incidents of this process while time is left, end the thread.

        Jobs that wait for a thread that does not come are run here. What is not delivered by then
        stays in the spool, as does at once what already failed. An exporter that hangs is shut
        down; if it does not care, its thread is left alone. Idempotent.

        Args:
            deadline: when this returns, apart from a job that is run here: jobs know of it, too.

        Returns:
            Whether the thread has ended.
        """
        if self._is_inherited():
            return True
        self._pacer.hurry(deadline)
        with self._changed:
            self._stop_at = deadline
            self._changed.notify_all()
        if self._thread is None:
            if self._jobs:  # submitted when no thread could be started any more
                self._run()
            return True
        self._jobs.run_if_held_up(min(deadline.seconds_left, PATIENCE_SECONDS))
        if self._thread.join(deadline.part(1 - _ABORT_SHARE).seconds_left):
            return True
        for delivery in self._deliveries:
            delivery.abort(deadline.seconds_left)
        return self._thread.join(deadline.seconds_left)

    def pause(self, timeout_seconds: float) -> None:
        """Let the thread end if it only waits, so that there is none while the process forks."""
        with self._changed:
            thread = self._thread
            if self._is_inherited() or thread is None or not self._is_idle or self._has_work():
                return
            self._thread = None
            self._is_paused = True
            self._changed.notify_all()
        thread.leave(timeout_seconds)

    def resume(self) -> None:
        """Go on after a pause, on a thread of its own."""
        if self._is_paused:
            self._is_paused = False
            self._ensure_thread()

    def has_unsent(self) -> bool:
        """Return whether an incident of this process is still to be sent."""
        return any(delivery.has_unsent() for delivery in self._deliveries)

    def is_held_here(self) -> bool:
        """Return whether the calling thread is in the middle of something in here.

        So it is within a signal handler that interrupted it: then it must not wait for the worker.
        """
        return self._changed.is_held_here()

    def wait_idle(self, deadline: Deadline) -> bool:
        """Wait until everything is done that can be done now; what failed may be left.

        Returns:
            Whether that is so.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: self._thread is None or (self._is_idle and not self._has_work()),
                deadline.seconds_left,
            )

    def _is_inherited(self) -> bool:
        return getpid() != self._pid

    def _ensure_thread(self) -> None:
        with self._changed:
            if self._thread is not None or self._stop_at is not None:
                return
            thread = Thread(self._run, THREAD_NAME)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is going down: `stop` does the work itself
                return
            self._thread = thread

    def _run(self) -> None:
        """Work and wait in turn; when `stop` was called, work once more."""
        is_last = False
        while not is_last:
            with self._changed:
                self._is_idle = self._is_woken = False
                is_last = self._stop_at is not None
            with suppressed_instrumentation():
                self._jobs.run_all()
                self._is_delivering = True
                waits = []
                for delivery in self._deliveries:
                    wait_seconds: float | None = LOOK_AGAIN_SECONDS
                    with self._guard.swallow("deliver"):  # when the spool cannot be read, say
                        wait_seconds = delivery.deliver_due(self._check_in)
                    waits.append(wait_seconds)
                self._is_delivering = False
            leave_no_trace()
            with self._changed:
                self._is_idle = True
                self._changed.notify_all()
                if not is_last:
                    shortest = min((wait for wait in waits if wait is not None), default=None)
                    self._changed.wait_for(lambda: self._has_work() or self._is_left(), shortest)
                    if self._is_left():
                        return

    def _check_in(self) -> float | None:
        """Run the jobs that wait; return the seconds left when `stop` was called, else None."""
        self._jobs.run_all()
        return None if self._stop_at is None else self._stop_at.seconds_left

    def _has_work(self) -> bool:
        return self._stop_at is not None or self._is_woken or bool(self._jobs)

    def _is_left(self) -> bool:
        """Return whether the calling thread was told to end, for a pause."""
        return self._thread is None or not self._thread.is_current()
