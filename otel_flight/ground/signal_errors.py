"""Tells the exceptions of the host's signal handlers from those of the code that they interrupt.

A handler may raise anything, wherever our code is just then: Celery's soft time limit and RQ's job
timeout are plain `Exception`s. Whoever catches those of a value that is odd lets these go on.
"""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path
from traceback import walk_tb
from types import CodeType
from typing import Final

from otel_flight.ground.native import is_main_thread

_OUR_DIRECTORY: Final = str(Path(__file__).parent) + os.sep


def pass_on(error: BaseException) -> None:
    """Raise an error again that is none of the code that caught it, but of a signal handler."""
    if is_raised_by_signal_handler(error):
        raise error


def is_raised_by_signal_handler(error: BaseException) -> bool:
    """Return whether the error came out of one of the host's signal handlers."""
    codes = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
    if not codes or codes[-1].co_filename.startswith(_OUR_DIRECTORY):
        return False  # raised by our own code; told apart first, as the rest takes microseconds
    if not is_main_thread():
        return False  # Python runs signal handlers in the main thread only
    handlers = {_code_of(signal.getsignal(number)) for number in range(1, signal.NSIG)}
    return any(code in handlers for code in codes)


def _code_of(handler: object) -> CodeType | None:
    """Return the Python code that runs when a signal handler is called, None if there is none."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    if not callable(handler):
        return None  # SIG_DFL, SIG_IGN, or not installed from Python
    for function in (handler, getattr(handler, "__func__", None), type(handler).__call__):
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None
