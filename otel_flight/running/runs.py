"""The runs of a recorder in this process: when one begins, and when it ends.

A run begins when it is asked for, or with the first span: then what records is imported, the window
is allocated and the ticker started, and not in every process that has a recorder.
"""

from __future__ import annotations

import atexit

# The SDK's fork hook uses a thread pool. It deadlocks every forked child when the pool's own fork
# hook was registered after the tracer provider's, so before an exporter's import could do that.
import concurrent.futures.thread  # noqa: F401
import logging
import os
import weakref
from threading import ExceptHookArgs
from typing import TYPE_CHECKING, Final

from otel_flight.deadline import Deadline
from otel_flight.guard import Guard
from otel_flight.native import allocate_reentrant_lock, get_ident
from otel_flight.recording.span_processor import RecordingSpanProcessor
from otel_flight.running.before_recording import EarlyImport, FailureWatch, has_main_failed
from otel_flight.running.child_ends import call_at_end_of_child
from otel_flight.running.factory import RunFactory
from otel_flight.running.fork_hooks import register_fork_hooks
from otel_flight.running.termination import TERMINATION, Join, Unfinished

if TYPE_CHECKING:
    from otel_flight.running.run import Run
    from otel_flight.running.statistics import Statistics

_logger = logging.getLogger("otel_flight")
_SIGNAL: Final = "signal"
"""Who sets the setting of this name wants its handler now, on the main thread."""

_LONGEST_IMPORT_SECONDS: Final = 5.0
"""A fork waits at most this many seconds for what another thread imports."""
_LONGEST_PAUSE_SECONDS: Final = 0.05
"""A fork waits at most this many seconds for another fork, a begin or an end, and as long for our
threads to leave; then it happens beside them."""


class Runs:
    """At most one run at a time, in the process that began it. Any thread.

    `_lifecycle` guards the run and what the processors record into. It is held while a run begins
    and ends, and a signal handler or a finalizer may come in between on the same thread.

    Args:
        factory: makes the runs.
        guard: notes what fails.

    Attributes:
        current: the run, None before the first span and after the end.
    """

    def __init__(self, factory: RunFactory, guard: Guard) -> None:
        self.factory = factory
        self.guard = guard
        self._core = factory.core
        self._lifecycle = allocate_reentrant_lock()
        self._processors: weakref.WeakSet[RecordingSpanProcessor] = weakref.WeakSet()
        self._is_waiting = self._is_beginning = False
        self._is_prepared = False  # by a parent that recorded: the first span need not wait long
        self._last: Statistics | None = None
        self._failures = FailureWatch(self._thread_failed)
        self._early_import = EarlyImport(self._import, guard)
        self._unfinished = Unfinished(self._core.shutdown_seconds, self._end_soon)
        self._join: Join | None = None
        self.current: Run | None = None
        self._held_by: int | None = None  # the thread that forks with the lock
        register_fork_hooks(self._before_fork, self._after_fork, self._forked)

    @property
    def is_on(self) -> bool:
        """Whether there is a run, or will be with the first span."""
        return self.current is not None or self._is_waiting or self._is_beginning

    def statistics(self) -> Statistics:
        """Return the totals of the run, which may begin now, or of the last one."""
        run = self.begun()
        if run is not None:
            return run.statistics(is_recording=True)
        return self._last or self.factory.no_statistics()

    def connect(self, processor: RecordingSpanProcessor) -> None:
        """Let a processor record in each run, and begin one with its first span."""
        with self._lifecycle:
            self._processors.add(processor)
            if self.current is not None:
                self.current.show_to(processor)
            elif self._core.enabled:
                self._wait_for_span()

    def disconnect(self, processor: RecordingSpanProcessor) -> None:
        """Let a processor record no more; the last one ends the run."""
        with self._lifecycle:
            processor.is_recording = processor.is_waiting = False
            self._processors.discard(processor)
            if not self._processors:
                self.end(None)

    def begin(self) -> None:
        """Begin a run, unless there is one, or `enabled` is off."""
        with self._lifecycle:
            if self._core.enabled:
                self._begin()

    def begin_with_span(self) -> None:
        """Begin a run on the thread of the first span; the processors record when this returns.

        uWSGI forks without Python's fork hooks; then the parent's run is still here.
        """
        run = self.current
        if run is not None and run.session.pid != os.getpid():
            self._forked()
        with self._lifecycle:
            if self._is_waiting:
                self._begin(in_background=self._is_prepared)

    def begun(self) -> Run | None:
        """Return the run; it begins now if it was to begin with the first span."""
        if self._is_waiting or self._is_beginning:
            with self._lifecycle:
                if self._is_waiting:
                    self._begin()
        return self.current

    def flush(self, timeout_seconds: float) -> bool:
        """Close the incident that is open, and deliver it; return whether nothing is left to do.

        Waits no longer than the timeout, and not at all where it would wait for the calling thread:
        within a hook of ours, or a signal handler that interrupted us.
        """
        with self.guard.swallow("flush"):
            run = self._run_here()
            return run is None or run.closing.flush(Deadline.after(timeout_seconds))
        return False

    def end(self, timeout_seconds: float | None) -> None:
        """End the run, within the time that is given, or else set."""
        limit = self._core.shutdown_seconds if timeout_seconds is None else timeout_seconds
        self._end(Deadline.after(limit))

    def _end(self, deadline: Deadline) -> None:
        if not self._lifecycle.acquire(timeout=deadline.seconds_left):
            return  # another thread begins or ends a run, and is held up in it
        try:
            run, self.current = self.current, None
            self._is_waiting = False
            self._failures.stop()
            for processor in list(self._processors):
                processor.is_recording = processor.is_waiting = False
            if run is not None and run.session.pid != os.getpid():
                run.abandon()
                return
            if run is not None:
                with self.guard.swallow("stop"):
                    run.finish(deadline)
                    self._last = run.statistics(is_recording=False)
                    run.closing.release_ring(deadline)
            atexit.unregister(self._exit)
            TERMINATION.remove(self._unfinished)
        finally:
            self._lifecycle.release()

    def _begin(self, *, in_background: bool = False, is_over: bool = False) -> None:
        """Begin a run, or none, and then one warning says why. The lock is held.

        Args:
            in_background: the ticker allocates the window.
            is_over: the main program has failed, and nothing can be started any more.
        """
        if self.current is not None or self._is_beginning:
            return
        self._is_beginning, self._is_waiting = True, False
        self._failures.stop()
        try:
            run = self.factory.make(self._pipelines, has_main_failed=is_over)
            run.open(in_background=in_background, is_over=is_over)
        except Exception as error:  # noqa: BLE001  (any: the program goes on as without us)
            self.guard.note("begin", error)
            _logger.warning("otel-flight records nothing in this process: %s", error)
            return
        finally:
            self._is_beginning = False
        self.current, self._join = run, None
        for processor in list(self._processors):
            run.show_to(processor)
        atexit.register(self._exit)
        with self.guard.swallow("end of child"):
            call_at_end_of_child(self._end_child)
        if self._core.handle_sigterm and not is_over:
            TERMINATION.add(self._unfinished)

    def _pipelines(self) -> list[object]:
        return [each.pipeline for each in list(self._processors)]

    def _import(self) -> None:
        if self._is_waiting:
            self.factory.load()

    def _wait_for_span(self) -> None:
        for processor in list(self._processors):
            processor.wait_for_span()
        if self._is_waiting:
            return
        self._is_waiting = True
        if self.factory.asked.mentions(_SIGNAL):
            self._begin()
            return
        self._failures.start()
        atexit.register(self._exit)
        if self._core.handle_sigterm:
            TERMINATION.expect(self._unfinished)
        self._early_import.start()

    def _thread_failed(self, arguments: ExceptHookArgs) -> None:
        """Begin when a thread fails before there was a span."""
        with self.guard.swallow("thread failed"):
            if run := self.begun():
                run.sources.thread_failed(arguments)

    def _exit(self) -> None:
        """End with the program; begin before, if that failed before there was a span."""
        if self._is_waiting and has_main_failed():
            with self._lifecycle:
                self._begin(is_over=True)
        self.end(None)

    def _end_child(self, **_: object) -> None:
        self.end(None)

    def _end_soon(self) -> Join | None:
        run = self.current
        if self._join is None and run is not None:
            deadline = Deadline.after(self._core.shutdown_seconds)
            self._join = run.end_with(lambda: self._end(deadline))
        return self._join

    def _before_fork(self) -> None:
        """Let no thread be in the middle of an import, which a child could never end."""
        seconds = _LONGEST_IMPORT_SECONDS if self._is_beginning else _LONGEST_PAUSE_SECONDS
        if not self._lifecycle.acquire(timeout=seconds):
            return
        self._held_by = get_ident()
        if run := self._run_here():
            run.pause_threads(_LONGEST_PAUSE_SECONDS)

    def _after_fork(self) -> None:
        # Several threads may fork at the same time, each with and without the lock.
        if self._held_by == get_ident():
            if run := self._run_here():
                run.resume_threads()
            self._held_by = None
            self._lifecycle.release()
        self._early_import.forked()

    def _run_here(self) -> Run | None:
        """Return the run of this process; after a fork without Python's hooks there is none."""
        run = self.current
        return run if run is not None and run.session.pid == os.getpid() else None

    def _forked(self) -> None:
        """Let go of the parent's run; the child's begins with its first span, if it has any."""
        self._lifecycle = allocate_reentrant_lock()
        self._held_by = None
        self._is_beginning = False
        run, self.current = self.current, None
        self._is_prepared = self._is_prepared or run is not None
        self._is_waiting = self._is_waiting or run is not None
        if self._is_waiting:
            for processor in list(self._processors):
                processor.wait_for_span()
        if run is not None:
            with self.guard.swallow("fork"):
                run.abandon()
