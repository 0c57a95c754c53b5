"""The thread that imports what records and begins a run: no thread of the application waits for it.

Then it goes on as the ticker's. It imports in parts, with pauses: another thread can take the GIL,
fork, or begin the run by itself, and none of them meets an import that is half done.
"""

from __future__ import annotations

import sys
from _thread import LockType
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Final, Protocol

from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import Thread, allocate_lock, sleep
from otel_flight.ground.own_files import is_file_system_fake
from otel_flight.recording.ticker import THREAD_NAME
from otel_flight.running.before_recording import is_green
from otel_flight.running.lifecycle_lock import LifecycleLock
from otel_flight.running.read_ahead import modules_in_memory
from otel_flight.running.requirements import check_requirements

_PARTS: Final = (
    "ssl",
    "asyncio",
    "msgspec",
    "hashlib",
    "opentelemetry.sdk.trace.export",
    "opentelemetry._logs",
    "otel_flight.records.decoder",
    "otel_flight.ring.ring",
    "otel_flight.ring.reader",
    "otel_flight.recording.session",
    "otel_flight.recording.ticker",
    "otel_flight.sources.base",
    "otel_flight.sources.stack_samples",
    "otel_flight.sources.event_loop",
    "otel_flight.triggers.base",
    "otel_flight.incidents.window",
    "otel_flight.incidents.evidence.evidence",
    "otel_flight.incidents.findings.rulebook",
    "otel_flight.assembly",
    "otel_flight.incidents.making.lifecycle",
    "otel_flight.delivery.otlp.spans",
    "otel_flight.delivery.span_chunks",
    "otel_flight.delivery.delivery",
    "otel_flight.running.run",
)
"""Each of these modules imports some of what records; the last one, all that is left of it."""
_PAUSE_SECONDS: Final = 0.0001
"""The pause between two parts lasts so many seconds: a thread that waits wakes up meanwhile."""
_MOMENT_SECONDS: Final = 0.01
"""While the application imports, so many seconds pass between two looks whether it still does."""
_LONGEST_WAIT_SECONDS: Final = 2.0
"""The application's imports are waited for at most so many seconds, all together."""
_LONGEST_PAUSE_SECONDS: Final = 1.0
"""A fork waits at most so many seconds for the thread to end; then it happens beside it."""


class Begun(Protocol):
    """A run, of which no module that is imported here must know."""

    def tick_on(self, thread: Thread) -> None:
        """Let the calling thread be the ticker's, if it may."""
        ...


class Beginning:
    """At most one thread at a time.

    Args:
        lifecycle: held while something is imported.
        is_waiting: tells whether a run is still to begin.
        begin: begins the run, if it is wanted, whose ticker may have the thread; returns it.
        give_up: called with what makes that impossible; with None where the application's thread
            is to begin the run, with its next span.
        guard: notes what fails.
    """

    def __init__(
        self,
        lifecycle: LifecycleLock,
        is_waiting: Callable[[], bool],
        begin: Callable[[Thread], Begun | None],
        give_up: Callable[[Exception | None], None],
        guard: Guard,
    ) -> None:
        self._lifecycle = lifecycle
        self._is_waiting = is_waiting
        self._begin = begin
        self._give_up = give_up
        self._guard = guard
        self._thread: Thread | None = None
        self._going_on = (
            allocate_lock()
        )  # of the newest thread: held until the run has begun, or not
        self._last: Callable[[], None] | None = None
        self._left: Thread | None = None
        self._is_paused = False

    @property
    def is_going_on(self) -> bool:
        """Whether the thread has not begun the run yet."""
        return self._thread is not None

    def start(self) -> None:
        """Begin. Never waits.

        Raises:
            RuntimeError: no thread can be started, or this is not the interpreter for it.
            MemoryError: the process may not have what recording takes.
        """
        check_requirements()
        if is_file_system_fake():  # what is imported beside it goes with it, and knows no other
            self._give_up(None)
            return
        self._last = None
        self._going_on = going_on = allocate_lock()
        going_on.acquire()
        self._thread = thread = Thread(lambda: self._run(thread, going_on), THREAD_NAME)
        try:
            thread.start()
        except RuntimeError:
            self._stop(thread, going_on)
            raise

    def wait(self, timeout_seconds: float) -> None:
        """Wait until the run has begun, if that is going on; not on the thread itself.

        A thread that has begun none is gone then: it is a fatal error where a subinterpreter ends.
        """
        thread = self._thread or self._left
        if thread is None or thread.is_current():
            return
        until_ns = monotonic_ns() + int(timeout_seconds * 1e9)
        going_on = self._going_on
        if going_on.acquire(True, timeout_seconds):
            going_on.release()
        if self._left is thread:
            thread.join(max(0, until_ns - monotonic_ns()) / 1e9)

    def pause(self) -> None:
        """Let the thread end before the process forks, unless it goes on as the ticker's by then.

        Waits for what it is importing: a child could import that no more.
        """
        thread = self._thread
        if thread is None or thread.is_current():
            return
        self._is_paused = True
        self.wait(_LONGEST_PAUSE_SECONDS)
        if self._left is thread:
            thread.leave(_LONGEST_PAUSE_SECONDS)

    def resume(self) -> None:
        """Go on after `pause`, in the parent, with what is left to import."""
        if not self._is_paused:
            return
        self._is_paused = False
        if self._is_waiting():
            try:
                self.start()
            except (RuntimeError, MemoryError):
                self._give_up(None)

    def end_with(self, last: Callable[[], None]) -> Callable[[float], bool] | None:
        """Let the thread do something when the run has begun, and end; return how to wait.

        Never waits; for signal handlers. None when it is not going on.
        """
        self._last = last
        thread = self._thread
        return None if thread is None else thread.join

    def forked(self) -> None:
        """Forget the thread, in a forked child, which does not have it."""
        self._thread = self._left = None
        self._is_paused = False
        self._going_on = allocate_lock()

    def _run(self, thread: Thread, going_on: LockType) -> None:
        run: Begun | None = None
        try:
            with self._guard.swallow("begin"), modules_in_memory():
                if self._import_all():
                    run = self._begin(thread)
        finally:
            self._left = thread if run is None else None
            self._stop(thread, going_on)
        if self._last is not None:
            self._last()
        elif run is not None:
            run.tick_on(thread)

    def _stop(self, thread: Thread, going_on: LockType) -> None:
        if self._thread is thread:  # after a fork there may be another one
            self._thread = None
        going_on.release()

    def _import_all(self) -> bool:
        until_ns = monotonic_ns() + int(_LONGEST_WAIT_SECONDS * 1e9)
        for part in _PARTS:
            while _is_importing() and monotonic_ns() < until_ns and not self._is_paused:
                sleep(_MOMENT_SECONDS)
            if self._is_paused:
                return False
            if part not in sys.modules and not self._import(part):
                return False
            sleep(_PAUSE_SECONDS)
        return True

    def _import(self, part: str) -> bool:
        """Import a part, unless that is not wanted any more; return whether to go on."""
        with self._lifecycle.held() as is_held:
            if not self._is_waiting():
                return False
            if not is_held or is_green() or is_file_system_fake():
                self._give_up(None)
                return False
            try:
                import_module(part)
            except Exception as error:  # noqa: BLE001  (any: the program goes on as without us)
                self._give_up(error)
        return self._is_waiting()


def _is_importing() -> bool:
    """Return whether a module is being imported just now.

    Of two threads that import modules which need each other, one gets a module that is not whole.
    """
    for module in list(sys.modules.values()):
        # Not of other types: what is imported lazily is so when an attribute of it is read.
        if type(module) is ModuleType:
            spec = module.__dict__.get("__spec__")
            if getattr(spec, "_initializing", False):
                return True
    return False
