"""The lock that is held while a run begins or ends, and that nobody waits for without a limit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from otel_flight.ground.native import allocate_reentrant_lock, get_ident
from otel_flight.running.own_imports import wait_for_own_imports

_LONGEST_WAIT_SECONDS: Final = 5.0
"""Who needs the lock waits at most so many seconds: who holds it may be importing a module which
the waiting thread is importing, too."""
_LONGEST_IMPORT_SECONDS: Final = 1.0
"""A fork waits at most so many seconds for what another thread is importing, as a child can import
that no more."""
_LONGEST_BEFORE_FORK_SECONDS: Final = 0.05
"""A fork waits at most so many seconds for another fork, or for the begin or end of a run."""


class LifecycleLock:
    """A reentrant lock: a signal handler or a finalizer may come in between on the same thread."""

    def __init__(self) -> None:
        self._lock = allocate_reentrant_lock()
        self._forking: int | None = None  # the thread that forks with the lock

    @contextlib.contextmanager
    def held(self, seconds: float = _LONGEST_WAIT_SECONDS) -> Iterator[bool]:
        """Hold the lock in a `with` block, which gets whether that is so: else time is up."""
        lock = self._lock  # a forked child has another one
        is_held: bool = lock.acquire(timeout=seconds)
        try:
            yield is_held
        finally:
            if is_held:
                lock.release()

    @property
    def is_held_for_fork(self) -> bool:
        """Whether the calling thread forks with the lock; several may fork at the same time."""
        return self._forking == get_ident()

    def before_fork(self, *, is_importing: bool) -> bool:
        """Hold the lock, if possible, when no thread of ours imports; return whether it is held."""
        wait_for_own_imports(_LONGEST_IMPORT_SECONDS)
        seconds = _LONGEST_IMPORT_SECONDS if is_importing else _LONGEST_BEFORE_FORK_SECONDS
        is_held: bool = self._lock.acquire(timeout=seconds)
        if is_held:
            self._forking = get_ident()
        return is_held

    def after_fork(self) -> None:
        """Release it in the parent, where it is held."""
        self._forking = None
        self._lock.release()

    def forked(self) -> None:
        """Take another lock in the child, as nobody is left to release this one."""
        self._forking = None
        self._lock = allocate_reentrant_lock()
