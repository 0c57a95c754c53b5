"""Threads, locks, sleep and files of the operating system, whatever was patched, and whenever.

gevent and eventlet put greenlets in the place of threads, and tests mocks in that of anything, by
changing modules that are imported. A copy of the interpreter's own modules has the originals.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from _thread import LockType
from collections.abc import Callable, Iterator
from importlib.machinery import BuiltinImporter
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from typing_extensions import Self


def _original(name: str) -> Any:
    """Return a copy of a module that is built into the interpreter, as nobody has changed it."""
    spec = BuiltinImporter.find_spec(name)
    if spec is None:  # an interpreter that keeps it elsewhere
        return __import__(name)
    module: ModuleType = module_from_spec(spec)
    BuiltinImporter.exec_module(module)
    return module


_thread: Final = _original("_thread")
time: Final = _original("time")
posix: Final = _original("posix")
"""The calls of `os` for descriptors: a test that puts others in their place gets none of ours, and
what its `os.open` returns is no file of ours to close."""

allocate_lock: Final[Callable[[], LockType]] = _thread.allocate_lock
allocate_reentrant_lock: Final[Callable[[], Any]] = _thread.RLock
get_ident: Final[Callable[[], int]] = _thread.get_ident
getpid: Final[Callable[[], int]] = posix.getpid
getppid: Final[Callable[[], int]] = posix.getppid
geteuid: Final[Callable[[], int]] = posix.geteuid
sleep: Final[Callable[[float], None]] = time.sleep

_IS_JOINABLE: Final = hasattr(_thread, "start_joinable_thread")
"""It tells whether the interpreter itself can wait for a thread: from Python 3.13 on."""
_SYNCHRONOUS: Final = {
    getattr(signal, name, None)
    for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGABRT", "SIGSYS")
}
"""These a thread gets for what it does itself; where they are blocked, it dies without a word."""
_BLOCKED: Final = signal.valid_signals() - _SYNCHRONOUS
_DUMMY: Final = "_DummyThread"
_IS_LINUX: Final[bool] = "linux" in sys.platform

_MOMENT_SECONDS: Final = 20e-6
"""So many seconds pass between two looks whether a thread is gone."""

_running: Final[dict[int, Thread]] = {}


class Thread:
    """A thread that the application does not notice, unless it asks the operating system.

    `threading` does not know it, so a program that compares its threads sees none that is not its
    own, and the end of the program does not wait for it. All signals are blocked in it, so one that
    the application's threads have blocked stays pending.

    Args:
        target: what it does; nothing that it raises is caught.
        name: what `running` calls it.
    """

    def __init__(self, target: Callable[[], None], name: str) -> None:
        self.name = name
        self.ident = self.native_id = 0
        self.pid = 0
        self._target = target
        self._handle: Any = None
        self._begun = allocate_lock()
        self._begun.acquire()
        self._ended: Any = None

    @property
    def is_started(self) -> bool:
        """Whether `start` has succeeded."""
        return self.pid != 0

    def start(self) -> None:
        """Start it; once.

        Raises:
            RuntimeError: none can be started: a limit is reached, or the interpreter is ending.
        """
        with _signals_blocked():
            if _IS_JOINABLE:
                self._handle = _thread.start_joinable_thread(self._run, daemon=True)
            else:
                _thread.start_new_thread(self._run, ())
            self.pid = getpid()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for its end, which a thread cannot do for itself; return whether it came.

        It is gone then for the interpreter, too: what is left of a thread that has done its work is
        a fatal error where a subinterpreter ends.
        """
        if self.pid != getpid():  # it was not started, or before this process was forked
            return True
        until = time.monotonic() + timeout_seconds
        if not _wait(self._begun, timeout_seconds):
            return False
        left_seconds = max(0.0, until - time.monotonic())
        if not _IS_JOINABLE:
            return _wait(self._ended, left_seconds)
        self._handle.join(left_seconds)
        return bool(self._handle.is_done())

    def leave(self, timeout_seconds: float) -> None:
        """Wait as `join` does, and until the operating system counts it no more.

        It still does so for some microseconds after the end. Python counts the threads at a fork.
        """
        until = time.monotonic() + timeout_seconds
        if self.join(timeout_seconds) and _IS_LINUX:
            entry = Path(f"/proc/self/task/{self.native_id}")
            while entry.exists() and time.monotonic() < until:
                sleep(_MOMENT_SECONDS)

    def is_current(self) -> bool:
        """Return whether this is the calling thread."""
        return _running.get(get_ident()) is self

    def _run(self) -> None:
        if not _IS_JOINABLE:
            # The interpreter releases this lock when nothing is left of the thread.
            self._ended = _thread._set_sentinel()
            self._ended.acquire()
        self.ident, self.native_id = get_ident(), _thread.get_native_id()
        self.pid = getpid()  # also here: its target may ask whether it is one of ours
        _running[self.ident] = self
        self._begun.release()
        try:
            self._target()
        finally:
            leave_no_trace()
            _running.pop(self.ident, None)


class Condition:
    """A lock with waiting for what it guards to change, like `threading.Condition`.

    `with` takes the lock. The thread that has it may take it again, but not wait then.
    """

    def __init__(self) -> None:
        self._lock = allocate_reentrant_lock()
        self._waiting: list[LockType] = []

    def __enter__(self) -> Self:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def is_held_here(self) -> bool:
        """Return whether the calling thread has the lock."""
        return bool(self._lock._is_owned())

    def notify_all(self) -> None:
        """Wake all who wait. The calling thread has the lock."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.release()

    def wait_for(self, is_so: Callable[[], object], timeout_seconds: float | None) -> bool:
        """Wait until something is so; the lock is free meanwhile.

        Args:
            is_so: asked with the lock taken, at once and after each change.
            timeout_seconds: None: as long as it takes.

        Returns:
            Whether it is so.
        """
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not is_so():
            left_seconds = -1 if until is None else until - time.monotonic()
            if until is not None and left_seconds <= 0:
                return False
            self._wait(left_seconds)
        return True

    def _wait(self, seconds: float) -> None:
        mine = allocate_lock()
        mine.acquire()
        self._waiting.append(mine)
        self._lock.release()
        try:
            mine.acquire(True, seconds)
        finally:
            self._lock.acquire()
            with contextlib.suppress(ValueError):
                self._waiting.remove(mine)


def running() -> list[Thread]:
    """Return the threads of ours that run in this process."""
    pid = getpid()
    return [each for each in list(_running.values()) if each.pid == pid]


def is_refused_at_end(error: Exception) -> bool:
    """Return whether a thread could not be started because the program is ending.

    From Python 3.12 on that is so when the main thread has ended, and while exit handlers run.
    """
    return "shutdown" in str(error)


def is_own_thread() -> bool:
    """Return whether the calling thread is one of ours."""
    thread = _running.get(get_ident())
    return thread is not None and thread.pid == getpid()


def is_main_thread() -> bool:
    """Return whether the calling thread is the one in which Python runs signal handlers."""
    if _IS_LINUX:
        return bool(_thread.get_native_id() == getpid())
    return get_ident() == _main_ident


def main_ident() -> int:
    """Return the id of that thread, which `threading` names otherwise when it is patched."""
    return _main_ident


def leave_no_trace() -> None:
    """Take away what `threading` keeps of the calling thread of ours.

    Whoever asks it for the current thread, as each log record does, leaves a stand-in for a thread
    that it has not started; up to Python 3.12 that stays when the thread ends.
    """
    active: dict[int, object] = getattr(threading, "_active", {})
    for ident in (get_ident(), threading.get_ident()):
        if type(active.get(ident)).__name__ == _DUMMY:
            active.pop(ident, None)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block all signals, which a thread that is started meanwhile inherits."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(lock: LockType, seconds: float) -> bool:
    """Wait for a lock to be free, without keeping it."""
    is_free = lock.acquire(True, seconds)
    if is_free:
        lock.release()
    return is_free


def _forked() -> None:
    global _main_ident
    _running.clear()
    _main_ident = get_ident()


_main_ident = get_ident() if _IS_LINUX and is_main_thread() else threading.main_thread().ident or 0
os.register_at_fork(after_in_child=_forked)
