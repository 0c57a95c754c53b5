"""Whether, and how, a thread in C can watch over the recorder's own; see `_hang_watch.c`."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, cast

try:
    import otel_flight.interpreter._hang_watch as _native  # type: ignore[import-not-found]
except ImportError:
    _native = None

CAN_WATCH: Final = hasattr(_native, "start") and hasattr(faulthandler, "register")
"""It tells whether there is one: only C can, and only on Linux."""
beat: Final[Callable[[], object]] = getattr(_native, "beat", object)
"""Say that all is well. 0.1 µs."""
_keep_handlers: Final[Callable[[Callable[[], object]], object]] = getattr(
    _native, "keep_handlers", lambda change: change()
)
_CRASHES: Final = (
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGABRT,
)


class WritableFile(Protocol):
    """What `faulthandler` takes for a file."""

    def fileno(self) -> int:
        """Return its descriptor."""
        ...

    def flush(self) -> None:
        """Do nothing."""
        ...


def enable_crash_stacks(file: WritableFile) -> None:
    """Let crashes be written into a file; signals that the program handles itself stay its own.

    Without C nobody can tell which, once faulthandler has its handler there: then all must be free.
    """
    if CAN_WATCH or all(map(_is_free, _CRASHES)):
        _keep_handlers(partial(faulthandler.enable, cast("int", file)))


def disable_crash_stacks() -> None:
    """Let them be written no more."""
    _keep_handlers(faulthandler.disable)


def start(file: WritableFile, seconds: float) -> int:
    """Let the stacks be written when there was no beat for so long; return what `stop` needs.

    Raises:
        OSError: it cannot be.
        RuntimeError: it cannot be, too.
    """
    number = _free_signal()
    faulthandler.register(number, file=cast("int", file), all_threads=True, chain=False)
    _native.start(number, file.fileno(), seconds)
    return number


def stop(number: int) -> None:
    """Watch no more. Waits for some milliseconds at most."""
    _native.stop()
    if _is_free(number):  # else the program has put a handler of its own there, which stays
        faulthandler.unregister(number)


def _free_signal() -> int:
    """Return a signal that does what it does by default, and that nobody is likely to send.

    Raises:
        RuntimeError: there is none.
    """
    for number in range(signal.SIGRTMAX - 1, signal.SIGRTMIN, -1):
        if _is_free(number):
            return number
    raise RuntimeError("all signals are taken")


def _is_free(number: int) -> bool:
    return signal.getsignal(number) is signal.SIG_DFL


if CAN_WATCH:
    # Python warns of a fork beside threads; a paused one begins again in the parent only.
    os.register_at_fork(before=_native.pause, after_in_parent=_native.resume)
