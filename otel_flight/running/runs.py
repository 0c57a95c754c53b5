"""The runs of a recorder in this process: when one begins, and when it ends.

A run begins when it is asked for, or with the first span: then what records is imported, the window
is allocated and the ticker started, and not in every process that has a recorder.
"""

from __future__ import annotations

# The SDK's fork hook uses a thread pool. It deadlocks every forked child when the pool's own fork
# hook was registered after the tracer provider's, so before an exporter's import could do that.
import concurrent.futures.thread  # noqa: F401
import logging
from threading import ExceptHookArgs
from typing import TYPE_CHECKING, Final

from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import Thread, getpid, is_main_thread, is_refused_at_end
from otel_flight.recording.first_spans import FirstSpans
from otel_flight.recording.span_processor import RecordingSpanProcessor
from otel_flight.running.before_recording import (
    EarlyImport,
    FailureWatch,
    call_at_main_end,
    has_main_failed,
    is_green,
    keep_interrupt,
)
from otel_flight.running.beginning import Beginning
from otel_flight.running.connected_processors import ConnectedProcessors
from otel_flight.running.ends.fork_hooks import register_fork_hooks
from otel_flight.running.ends.process_end import ProcessEnd
from otel_flight.running.ends.termination import Join
from otel_flight.running.factory import RunFactory
from otel_flight.running.lifecycle_lock import LifecycleLock

if TYPE_CHECKING:
    from otel_flight.running.run import Run
    from otel_flight.running.statistics import Statistics

_logger = logging.getLogger("otel_flight")
_LONGEST_PAUSE_SECONDS: Final = 0.05
"""A fork waits at most this many seconds for our threads; then it happens beside them."""


class Runs:
    """At most one run at a time, in the process that began it. Any thread.

    `_lifecycle` guards the run and what the processors record into.

    Args:
        factory: makes the runs.
        guard: notes what fails.

    Attributes:
        current: the run, None before the first span and after the end.
        first_spans: takes spans until there is a run.
    """

    def __init__(self, factory: RunFactory, guard: Guard) -> None:
        self.factory = factory
        self.guard = guard
        self._core = factory.core
        self._lifecycle = LifecycleLock()
        self._processors = ConnectedProcessors()
        self._is_waiting = self._is_beginning = self._is_letting_go = False
        self._pid = getpid()
        self.first_spans = FirstSpans(self._begin_soon, factory.clock.monotonic_ns)
        self._beginning = Beginning(
            self._lifecycle, lambda: self._is_waiting, self.begun, self._give_up, guard
        )
        self._last: Statistics | None = None
        self._failures = FailureWatch(self._thread_failed)
        self._early_import = EarlyImport(factory.load, lambda: self._is_waiting, guard)
        self._process_end = ProcessEnd(self._core, self.end, self._end_soon, guard)
        self._join: Join | None = None
        self.current: Run | None = None
        call_at_main_end(self._main_ended)
        register_fork_hooks(self._before_fork, self._after_fork, self._forked)

    @property
    def is_on(self) -> bool:
        """Whether there is a run, or will be with the first span."""
        return self.current is not None or self._is_waiting or self._is_beginning

    def statistics(self) -> Statistics:
        """Return the totals of the run, which may begin now, or of the last one."""
        run = self.begun()
        last = self._last or self.factory.no_statistics()
        return last if run is None else run.statistics(is_recording=True)

    def connect(self, processor: RecordingSpanProcessor) -> None:
        """Let a processor record in each run, and begin one with its first span."""
        with self._lifecycle.held():
            self._processors.add(processor)
            if self.current is not None:
                self.current.show_to(processor)
            elif self._core.enabled:
                self._wait_for_span()

    def disconnect(self, processor: RecordingSpanProcessor) -> None:
        """Let a processor record no more; the last one ends the run."""
        if self._processors.are_only(processor):
            self.end()
        with self._lifecycle.held():
            processor.disconnect()
            self._processors.discard(processor)

    def begin(self) -> None:
        """Begin a run, unless there is one, or `enabled` is off."""
        with self._lifecycle.held() as is_held:
            if is_held and self._core.enabled:
                self._begin()

    def begun(self, thread: Thread | None = None) -> Run | None:
        """Return the run; it begins now if it was to, and may get a thread of ours that calls."""
        if self._is_waiting or self._is_beginning:
            with self._lifecycle.held() as is_held:
                if is_held and self._is_waiting:
                    self._begin(thread)
        return self.current

    def flush(self, timeout_seconds: float) -> bool:
        """Close the incident that is open, and deliver it; return whether nothing is left to do.

        Waits no longer than the timeout, and not at all within a hook of ours or a signal handler.
        """
        deadline = Deadline.after(timeout_seconds)
        with self.guard.swallow("flush"):
            self._beginning.wait(deadline.seconds_left)
            run = self._run_here()
            return run is None or run.closing.flush(deadline)
        return False

    def end(self, timeout_seconds: float | None = None, *, is_hasty: bool = False) -> None:
        """End the run, within the time given or set. In haste none begins, unless a span failed."""
        if not is_hasty or self.current is not None or self.first_spans.have_failed():
            limit = self._core.shutdown_seconds if timeout_seconds is None else timeout_seconds
            self._end(Deadline.after(limit))

    def _end(self, deadline: Deadline) -> None:
        self._beginning.wait(deadline.seconds_left)
        with self._lifecycle.held(deadline.seconds_left) as is_held:
            is_wanted = self._is_waiting and not deadline.has_passed
            if is_held and is_wanted and (self.first_spans or has_main_failed()):
                self._begin()
            keep_interrupt()
            run, self.current = self.current, None
            self._stop_waiting()  # whoever begins a run just now finds it not wanted
            if run is not None and run.session.pid != getpid():
                run.abandon()
                return
            if run is not None:
                self._finish(run, deadline)
            self._process_end.finished()

    def _finish(self, run: Run, deadline: Deadline) -> None:
        with self.guard.swallow("stop"):
            run.finish(deadline)
            self._last = run.statistics(is_recording=False)
            run.closing.release_ring(deadline)

    def _stop_waiting(self) -> None:
        self._is_waiting = self._is_beginning = False
        self._processors.disconnect()
        self.first_spans.clear()
        self._failures.stop()

    def _begin_soon(self) -> None:
        """Begin a run on a thread of ours. Never waits: this is the application's thread.

        But it begins here where greenlets are imported, which patch locks, also those of imports;
        and where only this thread can set a signal's handler: its parent has imported all.
        """
        self._forked()  # if this is a child: uWSGI forks without Python's fork hooks
        if self._is_letting_go:  # of the parent's run, on this thread: the next span begins
            self.first_spans.ask_again()
        elif is_green() or (self.factory.handles_signal and is_main_thread()):
            self.begun()
        else:
            self._begin_beside()

    def _begin_beside(self) -> None:
        self._process_end.hold()  # what the first spans did is not finished either
        try:
            self._beginning.start()
        except (RuntimeError, MemoryError) as error:
            self._process_end.let_go()
            if not is_refused_at_end(error):  # then it begins when the program has ended
                self._give_up(error)

    def _begin(self, thread: Thread | None = None) -> None:
        """Begin a run, or none, and then one warning says why. The lock is held."""
        if self.current is not None or self._is_beginning:
            return
        self._is_beginning, self._is_waiting = True, False
        try:
            if thread is None:
                self.factory.prepare()  # else the worker imports what exports
            run = self.factory.make(self._processors.pipelines, self.first_spans.replay_late)
            self._failures.stop()  # before the hook that takes its place, to be found as it was
            run.open(thread)
        except Exception as error:  # noqa: BLE001  (any: the program goes on as without us)
            self._give_up(error)
            return
        self._show_first_spans(run)
        if not self._is_beginning:  # it was ended meanwhile
            self._stop_waiting()
            self._finish(run, Deadline.after(self._core.shutdown_seconds))
            return
        self.current, self._join, self._is_beginning = run, None, False
        if thread is None:  # else that was done with the first span
            self._process_end.hold()

    def _show_first_spans(self, run: Run) -> None:
        """Replay to the run what the first spans did, and let it have all others."""
        replayed = RecordingSpanProcessor(self.first_spans, self.guard)
        run.show_to(replayed)
        self.first_spans.replay(replayed, lambda: run.show_to(*self._processors))
        run.session.count_dropped(self.first_spans.dropped)

    def _give_up(self, error: Exception | None) -> None:
        """Begin no run; None: not on a thread of ours."""
        self._process_end.let_go()
        if error is None:
            self.first_spans.ask_again()
            return
        self.guard.note("begin", error)
        self._stop_waiting()
        _logger.warning("otel-flight records nothing in this process: %s", error)

    def _wait_for_span(self) -> None:
        self._processors.connect()
        if self._is_waiting or self._is_beginning:
            return
        self._is_waiting = True
        if self.factory.handles_signal:
            self._begin()
        else:
            self._failures.start()
            self._process_end.expect()
            self._early_import.start()

    def _thread_failed(self, arguments: ExceptHookArgs) -> None:
        """Begin when a thread fails before there was a span."""
        with self.guard.swallow("thread failed"):
            if run := self.begun():
                run.sources.thread_failed(arguments)

    def _main_ended(self) -> None:
        """Import what an incident is sent with, while that is possible: a thread may be at it."""
        if self._beginning.is_going_on:
            self._beginning.wait(self._core.shutdown_seconds)
        if self.first_spans.have_failed() or ((run := self._run_here()) and run.has_fired):
            self.factory.load()

    def _end_soon(self) -> Join | None:
        if self._join is None:
            deadline = Deadline.after(self._core.shutdown_seconds)
            who = self._beginning if self.current is None else self.current
            self._join = who.end_with(lambda: self._end(deadline))
        return self._join

    def _before_fork(self) -> None:
        """Let no thread be in the middle of an import, which a child could never end."""
        self._beginning.pause()
        is_held = self._lifecycle.before_fork(is_importing=self._is_beginning)
        if is_held and (run := self._run_here()):
            run.pause_threads(_LONGEST_PAUSE_SECONDS)

    def _after_fork(self) -> None:
        if self._lifecycle.is_held_for_fork:
            if run := self._run_here():
                run.resume_threads()
            self._lifecycle.after_fork()
        self._beginning.resume()
        self._early_import.forked()

    def _run_here(self) -> Run | None:
        """Return the run of this process; after a fork without Python's hooks there is none."""
        run = self.current
        return run if run is not None and run.session.pid == getpid() else None

    def _forked(self) -> None:
        """Let go of the parent's run, once; the child's begins with its first span, if any."""
        if self._pid == getpid():  # a span of a finalizer, or of a hook before ours, came first
            return
        self._pid, self._is_letting_go = getpid(), True
        self._lifecycle.forked()
        self._beginning.forked()
        run, self.current = self.current, None
        self._is_waiting |= self._is_beginning or run is not None
        self._is_beginning = False
        self.first_spans.clear_in_child()
        if self._is_waiting:
            self._processors.connect()
        if run is not None:
            with self.guard.swallow("fork"):
                run.abandon()
        self._is_letting_go = False
