"""What there is of a recorder before the first span of a process.

It sees the program fail, which makes an incident also without a span, and it sees it fork.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Final

from otel_flight.ground.guard import Guard
from otel_flight.running.ends.quick_turns import quick_turns
from otel_flight.sources.hooks.chained_hook import ChainedHook
from otel_flight.sources.hooks.main_failure import MODULE, has_ended_main, reported_error

_GREEN: Final = frozenset({"eventlet", "gevent"})
"""Where one of these is, this process or a child may patch the standard library; what was imported
before that is not patched as it should be."""
_FORKS_IN_C: Final = "uwsgi"
"""The server that has this module forks without Python's fork hooks."""
_FORKS_OF_SERVER: Final = 2
"""A process that has forked so often is taken for one that goes on to do so."""


class FailureWatch:
    """Sees threads of the program end by an exception.

    Args:
        failed: called with what `threading.excepthook` is called with.
    """

    def __init__(self, failed: Callable[[threading.ExceptHookArgs], None]) -> None:
        self._failed = failed
        self._hook = ChainedHook(threading, "excepthook", threading.__excepthook__)

    def start(self) -> None:
        """See it from now on. Idempotent."""
        self.stop()
        self._hook.add(self._failed)

    def stop(self) -> None:
        """See no more."""
        self._hook.remove(self._failed)


def has_main_failed() -> bool:
    """Return whether the main program has ended by an exception."""
    error = reported_error()
    return error is not None and has_ended_main(error)


def keep_interrupt() -> None:
    """Let a program that was interrupted end as such, after something was imported at its end.

    The interpreter forgets the interrupt with the next text that it executes, as `dataclasses` let
    it do, and is reminded by one that is interrupted.
    """
    error = reported_error()
    if not isinstance(error, KeyboardInterrupt) or not has_ended_main(error):
        return
    traceback = error.__traceback__
    if traceback is not None and traceback.tb_frame.f_code.co_name == MODULE:  # not `python -m`
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102


def is_green() -> bool:
    """Return whether a library is imported that puts greenlets in the place of threads."""
    return not _GREEN.isdisjoint(sys.modules)


def has_patched() -> bool:
    """Return whether one of these libraries has patched threads and locks already."""
    monkey, patcher = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    by_gevent = monkey is not None and monkey.is_module_patched("threading")
    return by_gevent or (patcher is not None and patcher.is_monkey_patched("thread"))


def call_at_main_end(call: Callable[[], None]) -> None:
    """Call a method when the main thread has ended and there are thread pools still; held weakly.

    Exit handlers come later, when what starts a thread as it is imported can no longer be.
    """
    method = weakref.WeakMethod(call)

    def call_if_there() -> None:
        if (found := method()) is not None:
            with quick_turns():
                found()

    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        with contextlib.suppress(RuntimeError):  # it has ended already
            register(call_if_there)


class EarlyImport:
    """Imports what records, in a process whose forked children will share it then.

    Not in a hook before the fork: what is imported there has its own fork hooks called after the
    fork, but not before it.

    Args:
        load: imports it.
        is_waiting: tells whether recording is still to begin.
        guard: notes what fails.
    """

    def __init__(
        self, load: Callable[[], None], is_waiting: Callable[[], bool], guard: Guard
    ) -> None:
        self._load = load
        self._is_waiting = is_waiting
        self._guard = guard
        self._forks = 0

    def start(self) -> None:
        """Import it now if there is no better time for it."""
        if _FORKS_IN_C in sys.modules or has_patched():
            self._import()

    def forked(self) -> None:
        """Import it if this is a server; called in the parent, after a fork."""
        self._forks += 1
        if self._forks == _FORKS_OF_SERVER:
            self._import()

    def _import(self) -> None:
        if self._is_waiting() and (has_patched() or not is_green()):
            with self._guard.swallow("import"):
                self._load()
