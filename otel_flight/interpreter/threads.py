"""The threads of this process, read without the lock that `threading.enumerate` takes.

A process that is forked behind Python's back while another thread holds that lock can start no
thread any more, and the ticker would take it ten times a second.
"""

from __future__ import annotations

import sys
import threading
from typing import Final

HAS_GIL: Final[bool] = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether threads run Python code in turns. Without that, what one thread reads of another may go
away meanwhile."""


def alive_threads() -> list[threading.Thread]:
    """Return the threads that run now."""
    return list(_active().values())


def thread_with(thread_id: int) -> threading.Thread | None:
    """Return the thread whose `threading.get_ident()` is given; None when it has ended."""
    return _active().get(thread_id)


def _active() -> dict[int, threading.Thread]:
    found: dict[int, threading.Thread] = getattr(threading, "_active", {})
    return found
