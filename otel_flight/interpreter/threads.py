"""The threads of this process, read without the lock that `threading.enumerate` takes.

A process that is forked behind Python's back while another thread holds that lock can start no
thread any more, and the ticker would take it ten times a second.
"""

from __future__ import annotations

import sys
import threading
from typing import Final

from otel_flight.ground import native
from otel_flight.ground.native import getpid

HAS_GIL: Final[bool] = getattr(sys, "_is_gil_enabled", lambda: True)()
"""It tells whether threads run Python code in turns. Without that, what one thread reads of another
may go away meanwhile."""


AnyThread = threading.Thread | native.Thread
"""It is a thread of the program, or one of ours, which `threading` does not know."""


def alive_threads() -> list[AnyThread]:
    """Return the threads that run now.

    Where `threading` is patched, its threads are greenlets of the one that is left.
    """
    found: list[AnyThread] = [*_active().values(), *native.running()]
    main = threading.main_thread()
    if main.ident == native.main_ident():
        return found
    return [each for each in found if each is main or native_id_of(each) not in (0, getpid())]


def thread_with(thread_id: int) -> AnyThread | None:
    """Return the thread whose `native.get_ident()` is given; None when it has ended."""
    if thread_id == native.main_ident():
        return threading.main_thread()
    return _active().get(thread_id)


def native_id_of(thread: AnyThread) -> int:
    """Return the number that the kernel gave a thread; 0: it has none, as it is a greenlet."""
    if thread is threading.main_thread() and sys.platform == "linux":
        return getpid()
    return getattr(thread, "native_id", None) or 0


def ident_of(thread: AnyThread) -> int:
    """Return what `native.get_ident()` returns in a thread."""
    return native.main_ident() if thread is threading.main_thread() else thread.ident or 0


def _active() -> dict[int, threading.Thread]:
    found: dict[int, threading.Thread] = getattr(threading, "_active", {})
    return found
