"""What there is of a recorder before the first span of a process.

It sees the program fail, which makes an incident also without a span, and it sees it fork.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Final

from otel_flight.guard import Guard
from otel_flight.sources.hooks.chained_hook import ChainedHook
from otel_flight.sources.hooks.main_failure import has_ended_main, reported_error

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


class EarlyImport:
    """Imports what records, in a process whose forked children will share it then.

    Not in a hook before the fork: what is imported there has its own fork hooks called after the
    fork, but not before it.

    Args:
        load: imports it, if recording is still to begin.
        guard: notes what fails.
    """

    def __init__(self, load: Callable[[], None], guard: Guard) -> None:
        self._load = load
        self._guard = guard
        self._forks = 0

    def start(self) -> None:
        """Import it now if there is no other time for it."""
        if _FORKS_IN_C in sys.modules:
            self._import()

    def forked(self) -> None:
        """Import it if this is a server; called in the parent, after a fork."""
        self._forks += 1
        if self._forks == _FORKS_OF_SERVER:
            self._import()

    def _import(self) -> None:
        if _GREEN.isdisjoint(sys.modules):
            with self._guard.swallow("import"):
                self._load()
