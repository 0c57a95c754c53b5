"""Finish what is open when SIGTERM would kill the process without running its exit handlers.

That is what happens to a plain script, and to uvicorn, which shuts down gracefully, restores the
handler that was there before and raises the signal again: an incident in its tail would be lost at
every deployment. A handler of the application's own is left alone: it decides how the process ends.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType


class TerminationHandler:
    """Handle SIGTERM where nobody does: finish, then die of the signal as before.

    Args:
        finish: what to do; runs on a thread of its own, because the handler interrupts the main
            thread anywhere, also where it holds the locks that finishing needs.
        timeout_seconds: how long to wait for it.
    """

    def __init__(self, finish: Callable[[], None], timeout_seconds: float) -> None:
        self._finish = finish
        self._timeout_seconds = timeout_seconds
        self._pid = os.getpid()

    def start(self) -> None:
        """Install the handler, in the main thread and where SIGTERM has no handler."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._handle)

    def stop(self) -> None:
        """Remove the handler, unless someone replaced it since."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def forked(self) -> None:
        """Go on in a forked child, which inherits the handler."""
        self._pid = os.getpid()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second SIGTERM kills at once
        if os.getpid() == self._pid:
            thread = threading.Thread(target=self._finish, name="otel-flight-end", daemon=True)
            thread.start()
            thread.join(self._timeout_seconds)
        os.kill(os.getpid(), number)
