"""SIGTERM and SIGINT as something to wait for: nothing is interrupted, and none is missed."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType
from typing import Final

from typing_extensions import Self

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Notes these signals within a `with` block. Main thread; a second one kills at once."""

    def __enter__(self) -> Self:
        self._has_come = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._woken_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._came) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._woken_before)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float) -> bool:
        """Wait for one of them so many seconds; return whether one has come by then."""
        if not self._has_come:
            select.select([self._reader], [], [], seconds)
        return self._has_come

    def _came(self, number: int, frame: FrameType | None) -> None:
        self._has_come = True
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
