"""Finish what is open when SIGTERM would kill the process without running its exit handlers.

That is what happens to a plain script, and to uvicorn, which shuts down gracefully, restores the
handler that was there before and raises the signal again: an incident in its tail would be lost at
every deployment. A handler of the application's own is left alone: it decides how the process ends.

What does not work: a handler in Python alone (it runs when the main thread comes back from native
code, which a database or a regular expression may keep for minutes), a thread that waits for the
signal (it has to be blocked everywhere else), `signal.set_wakeup_fd` (asyncio's). Hence, where it
is compiled, a function in C before the handler in Python: with nothing to finish it kills at once,
else it notes the signal and sets a timer. The ticker, which runs already, does the finishing; so no
thread has to be started. Without C the process may die late, when its main thread is in native
code: then only the handler in Python knows of the signal.

In front of a handler of the application's own, the function in C notes when the signal came: the
program may end past us, as one does that restores the default action and kills itself. Then nobody
takes that for an accident.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Final

from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.native import allocate_lock, getpid, posix
from otel_flight.ring import layout
from otel_flight.running.ends.quick_turns import take_quick_turns
from otel_flight.running.requirements import EMBEDDING
from otel_flight.settings.fields import CoreSettings

try:
    import otel_flight.running.ends._last_signal as _last_signal  # type: ignore[import-not-found]  # noqa: PLR0402
except ImportError:  # not compiled
    _last_signal = None

_SIGTERM: Final = signal.SIGTERM
_PATIENCE_SECONDS: Final = 1.0
"""If nobody of us gets to run for this many seconds after the signal, the process dies: a native
call does not release the GIL."""
_GRACE_SECONDS: Final = 0.25
"""The process dies so many seconds after what is to be finished by then, whether it is or not."""
_INIT: Final = 1
"""The first process of a container: SIGTERM does not kill it where it has no handler."""

Join = Callable[[float], bool]
"""It waits so many seconds for an end, and returns whether that came."""


@dataclass(frozen=True, eq=False)
class Unfinished:
    """What has to be finished before the process ends: a recorder that records.

    Attributes:
        settings: whether SIGTERM waits for that, and how long it may take.
        end_soon: lets a thread that runs already end it, which says so to `remove`; never waits.
            Returns how to wait for that, or None when the calling thread may be at it.
    """

    settings: CoreSettings
    end_soon: Callable[[], Join | None]


class _DefaultAction:
    """The handler. To who compares it, it is what is there without us: `SIG_DFL`."""

    def __init__(self, act: Callable[[int], None]) -> None:
        self._act = act

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # Called by a handler that has replaced it, it does what `SIG_DFL` would do there: nothing.
        registered: object = signal.getsignal(number)
        if registered is self:
            self._act(number)

    def __eq__(self, other: object) -> bool:
        return other is self or other is signal.SIG_DFL

    def __bool__(self) -> bool:
        return bool(signal.SIG_DFL)

    __hash__ = object.__hash__


class Termination:
    """What SIGTERM does in this process, where the application has no handler for it.

    Nothing in here waits for a lock: the handler interrupts the main thread anywhere.
    """

    def __init__(self) -> None:
        self._handler = _DefaultAction(self._came)
        self._pid = getpid()
        self._known: tuple[Unfinished, ...] = ()  # those of recorders that wait for a span, too
        self._unfinished: tuple[Unfinished, ...] = ()
        self._is_ending = allocate_lock()  # taken by who begins to end all

    def expect(self, unfinished: Unfinished) -> None:
        """Install the handler for what is to come, where the function in front of it kills at once.

        Later the program may have a handler, which restores what was there before.
        """
        if _last_signal is not None and unfinished.settings.handle_sigterm:
            self._known = (*self._without(unfinished), unfinished)
            self._install()

    def _install(self) -> None:
        """Install the handler, where SIGTERM has none.

        Python takes handlers in the main thread only; in another one only the function in front is
        installed. Not in the first process of a container, which SIGTERM does not kill.
        """
        if getpid() == _INIT or not self._is_free():
            return
        with contextlib.suppress(ValueError):
            signal.signal(_SIGTERM, self._handler)
        if _last_signal is not None:
            _last_signal.stand_in_front(_SIGTERM)

    def add(self, unfinished: Unfinished) -> None:
        """Let SIGTERM wait for something to be finished. Idempotent."""
        if not unfinished.settings.handle_sigterm:
            return
        if self._pid != getpid():  # forked without Python's fork hooks
            self.forked()
        self._install()
        self._known = (*self._without(unfinished), unfinished)
        if unfinished not in self._unfinished:
            self._unfinished = (*self._unfinished, unfinished)
        if _last_signal is not None:
            _last_signal.arm(_PATIENCE_SECONDS, self._limit_seconds())

    def remove(self, unfinished: Unfinished) -> None:
        """Say that it is finished; when it was the last, and SIGTERM has come, the process dies."""
        was_known = unfinished in self._known
        self._known = self._without(unfinished)
        self._unfinished = tuple(each for each in self._unfinished if each is not unfinished)
        if not self._unfinished and self._is_ending.locked():
            self._die(_SIGTERM)
        elif not self._unfinished and _last_signal is not None:
            _last_signal.disarm()
        if was_known and not self._known:
            self._uninstall()

    def note_in(self, descriptor: int | None) -> bool:
        """Let it be noted in a ring, at once, when SIGTERM comes; return whether that is so now.

        Args:
            descriptor: of the ring's file; None: it has none.
        """
        if _last_signal is None or descriptor is None or not self._known:
            return False
        magic = layout.MAGIC.to_bytes(layout.WORD, "little")
        _last_signal.note_in(descriptor, layout.W_TERMINATED * layout.WORD, magic)
        return True

    def look(self) -> int:
        """See whether SIGTERM came while the main thread cannot run its handler. Any thread.

        Returns:
            When it came last, by the wall clock; 0: never; `UNNOTICED`: nobody can tell.
        """
        if _last_signal is not None and _last_signal.has_come():
            self._begin()
        if not self._is_noticed():
            return layout.UNNOTICED
        return 0 if _last_signal is None else int(_last_signal.last_ns())

    def _is_noticed(self) -> bool:
        """Stand in front of what handles SIGTERM by now; return whether none goes unnoticed."""
        handler = signal.getsignal(_SIGTERM)
        if handler is signal.SIG_IGN or (handler is signal.SIG_DFL and getpid() == _INIT):
            return True  # it does not end the process
        if not self._known:
            return False
        if _last_signal is None:
            return handler is self._handler
        if self._is_free():
            _last_signal.stand_in_front(_SIGTERM)
            return True
        return bool(_last_signal.watch(_SIGTERM))

    def forked(self) -> None:
        """Remove the handler in a forked child, which has nothing to finish."""
        self._pid = getpid()
        self._known = self._unfinished = ()
        self._is_ending = allocate_lock()
        self._uninstall()

    def _without(self, unfinished: Unfinished) -> tuple[Unfinished, ...]:
        return tuple(each for each in self._known if each is not unfinished)

    def _is_free(self) -> bool:
        """Whether nobody else handles SIGTERM, as far as that can be known: servers do in C."""
        handler = signal.getsignal(_SIGTERM)
        if handler is not self._handler and handler is not signal.SIG_DFL:
            return False
        if _last_signal is not None:
            return bool(_last_signal.is_free(_SIGTERM, handler is self._handler))
        return handler is self._handler or EMBEDDING.isdisjoint(sys.modules)

    def _uninstall(self) -> None:
        if _last_signal is not None:
            _last_signal.disarm()
            _last_signal.step_aside()
        if signal.getsignal(_SIGTERM) is self._handler:
            with contextlib.suppress(ValueError):  # another thread: from now on it kills at once
                signal.signal(_SIGTERM, signal.SIG_DFL)

    def _came(self, number: int) -> None:
        """Wait for the ends of all, and die. Main thread."""
        if _last_signal is None:
            signal.signal(number, signal.SIG_DFL)  # a second one kills at once
        until_ns = monotonic_ns() + int(self._limit_seconds() * 1e9)
        joins = self._begin()
        if None in joins:
            return  # this very thread may be ending it, and goes on when this returns
        for join in joins:
            if join is not None:
                join(max(0.0, (until_ns - monotonic_ns()) / 1e9))
        self._die(number)

    def _begin(self) -> list[Join | None]:
        if _last_signal is not None:
            _last_signal.see()
        self._is_ending.acquire(False)
        take_quick_turns()
        return [each.end_soon() for each in self._unfinished]

    def _limit_seconds(self) -> float:
        limits = [each.settings.shutdown_seconds + _GRACE_SECONDS for each in self._unfinished]
        return max(limits, default=0.0)

    def _die(self, number: int) -> None:
        if _last_signal is not None:
            _last_signal.end(number)
            return
        with contextlib.suppress(ValueError):  # another thread; the main one does it
            signal.signal(number, signal.SIG_DFL)
            posix.kill(getpid(), number)


TERMINATION: Final = Termination()
os.register_at_fork(after_in_child=TERMINATION.forked)
