"""The one thread that does what takes long: writing incidents to disk, and delivering them."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import Final

from otel_flight.clock import SYSTEM_CLOCK, Clock
from otel_flight.delivery.backoff import Backoff
from otel_flight.delivery.cargo import LOGS, BuildExporter
from otel_flight.delivery.job_queue import PATIENCE_SECONDS, Job, JobQueue
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import suppressed_instrumentation
from otel_flight.delivery.receiver.exporters import logs_destination, preload
from otel_flight.delivery.spool_delivery import (
    LOOK_AGAIN_SECONDS,
    DeliveryStatistics,
    SpoolDelivery,
)
from otel_flight.guard import Guard
from otel_flight.incidents.spool import Spool, SpoolEntry
from otel_flight.settings.fields import CoreSettings

__all__ = ["DeliveryStatistics", "Flusher"]

THREAD_NAME: Final = "otel-flight-flusher"
_ABORT_SHARE: Final = 0.1
"""The part of a stop's timeout that is kept for getting out of a hanging exporter."""


class Flusher:
    """Runs jobs and delivers the spool on a daemon thread of its own. Any thread.

    The thread starts with the first job or `start`. In a forked child an inherited flusher does
    nothing; the child makes its own. Imports the exporter that will be needed right away, which
    blocks for up to 0.2 s: during an incident it would slow down requests.

    Args:
        spool: what to deliver.
        settings: where to, and how fast.
        guard: notes jobs and deliveries that fail for reasons nobody thought of.
        build_exporter: makes the OTLP exporter of spans; None: the official one.
        clock: a fake one in tests.
        backoff: how long to wait after a failure.
    """

    def __init__(
        self,
        spool: Spool,
        settings: CoreSettings,
        guard: Guard,
        *,
        build_exporter: BuildExporter | None = None,
        clock: Clock = SYSTEM_CLOCK,
        backoff: Backoff | None = None,
    ) -> None:
        self._pid = os.getpid()
        self._spool = spool
        self._guard = guard
        self._clock = clock
        # Guards the jobs, _thread, _is_woken, _is_idle, _is_stopping; notified when they change.
        self._changed = threading.Condition()
        self._jobs = JobQueue(guard, self._changed)
        self._thread: threading.Thread | None = None
        self._is_woken = False
        self._is_idle = False
        self._is_stopping = False
        self._stop_at_ns = 0
        self._is_delivering = False
        self._pacer = Pacer(settings.flush_cpu_share, clock=clock)
        self._delivery = SpoolDelivery(
            spool, settings, guard, self._pacer, build_exporter=build_exporter, backoff=backoff
        )
        # In this order: log records that cannot be delivered do not hold up spans.
        self._deliveries = [self._delivery]
        self._log_delivery = SpoolDelivery(spool, settings, guard, self._pacer, cargo=LOGS)
        if logs_destination(settings).kind != "off":
            self._deliveries.append(self._log_delivery)
        with guard.swallow("preload exporter"):
            preload(settings)

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
        """Run a job on the flusher's thread soon, between two chunks if need be. Returns at once.

        When that thread is held up within an exporter, a thread of its own runs the job; after
        `stop`, the calling thread does.
        """
        if self._is_inherited():
            return
        self._jobs.add(job)
        if self._is_stopping:
            self._jobs.run_all()
            return
        self._ensure_thread()
        if self._is_delivering:
            self._jobs.stand_in()

    def stop(self, timeout_seconds: float) -> bool:
        """Run all jobs, deliver the incidents of this process while time is left, end the thread.

        Jobs are run in any case, here if need be. What is not delivered by then stays in the spool,
        as does at once what already failed. An exporter that hangs is shut down; if it does not
        care, its thread is left alone. Idempotent.

        Args:
            timeout_seconds: after which this returns, apart from the time jobs take.

        Returns:
            Whether the thread has ended.
        """
        if self._is_inherited():
            return True
        self._pacer.hurry()
        with self._changed:
            self._is_stopping = True
            self._stop_at_ns = self._clock.monotonic_ns() + int(timeout_seconds * 1e9)
            self._changed.notify_all()
        if self._thread is None:
            return self._work_here()
        self._jobs.run_if_held_up(min(timeout_seconds, PATIENCE_SECONDS))
        self._thread.join(max(0.0, self._seconds_left() - timeout_seconds * _ABORT_SHARE))
        if self._thread.is_alive():
            for delivery in self._deliveries:
                delivery.abort(self._seconds_left())
            self._thread.join(self._seconds_left())
        return not self._thread.is_alive()

    def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until everything is done that can be done now; what failed may be left.

        Returns:
            Whether that is so.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: self._thread is None or (self._is_idle and not self._has_work()),
                timeout_seconds,
            )

    def statistics(self) -> DeliveryStatistics:
        """Return what was done with spans so far. Never blocks."""
        return self._delivery.statistics

    def log_statistics(self) -> DeliveryStatistics:
        """Return what was done with log records so far, which are then what is counted."""
        return self._log_delivery.statistics

    def _is_inherited(self) -> bool:
        return os.getpid() != self._pid

    def _ensure_thread(self) -> None:
        with self._changed:
            if self._thread is not None or self._is_stopping:
                return
            thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is going down: `stop` does the work itself
                return
            self._thread = thread

    def _run(self) -> None:
        with suppressed_instrumentation():
            while not self._is_stopping:
                wait_seconds = self._work()
                with self._changed:
                    self._is_idle = True
                    self._changed.notify_all()
                    self._changed.wait_for(self._has_work, wait_seconds)
                    self._is_idle = False
            self._work()

    def _has_work(self) -> bool:
        return self._is_stopping or self._is_woken or bool(self._jobs)

    def _work(self) -> float | None:
        """Run the jobs and deliver; return when to do so again, None when something new came."""
        self._is_woken = False
        self._jobs.run_all()
        self._is_delivering = True
        try:
            waits = [self._deliver(delivery) for delivery in self._deliveries]
        finally:
            self._is_delivering = False
        return min((wait for wait in waits if wait is not None), default=None)

    def _deliver(self, delivery: SpoolDelivery) -> float | None:
        with self._guard.swallow("deliver"):
            timeout_seconds = self._seconds_left() if self._is_stopping else None
            wants = partial(self._wants, delivery)
            return delivery.deliver_pending(wants, self._go_on, timeout_seconds)
        return LOOK_AGAIN_SECONDS  # the spool could not be read, for one

    def _work_here(self) -> bool:
        """Do on the calling thread what was submitted when no thread could be started any more."""
        if self._jobs:
            with suppressed_instrumentation():
                self._work()
        return True

    def _wants(self, delivery: SpoolDelivery, entry: SpoolEntry) -> bool:
        """Tell whether to begin with an incident: at the end, not with what failed already."""
        is_tried = entry.state.attempts > 0 or delivery.is_failing
        return self._go_on(entry) and not (self._is_stopping and is_tried)

    def _go_on(self, entry: SpoolEntry) -> bool:
        """Tell whether to go on with an incident; between two chunks is a good time for jobs."""
        self._jobs.run_all()
        if not self._is_stopping:
            return True
        return self._spool.has_added(entry) and self._seconds_left() > 0

    def _seconds_left(self) -> float:
        return max(0.0, (self._stop_at_ns - self._clock.monotonic_ns()) / 1e9)
