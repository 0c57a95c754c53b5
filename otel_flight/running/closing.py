"""Closes what is open: because somebody asks for it, or because the run ends.

Whatever waits here waits until the same deadline. What is not done by then is in the ring, which
stays: for the next process it is as if this one had been killed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import allocate_lock, is_own_thread
from otel_flight.incidents.making.lifecycle import IncidentLifecycle
from otel_flight.incidents.spool.spool import Spool
from otel_flight.recording.session import RecordingSession
from otel_flight.recording.ticker import Ticker
from otel_flight.worker.worker import Worker

_logger = logging.getLogger("otel_flight")

_TICK_SHARE: Final = 0.4
"""At the end, this part of the time at most is for a tick to be over that goes on."""
_WORK_SHARE: Final = 0.92
"""At the end, this part of the time is for work; the rest is for letting go, on a busy machine."""


class Closing:
    """The ends of a run's incidents.

    Args:
        see_last: lets what was recorded and fired be seen, where there are no ticks any more.
    """

    def __init__(
        self,
        *,
        session: RecordingSession,
        incidents: IncidentLifecycle,
        spool: Spool,
        worker: Worker,
        ticker: Ticker,
        guard: Guard,
        see_last: Callable[[], None],
    ) -> None:
        self._session = session
        self._incidents = incidents
        self._spool = spool
        self._worker = worker
        self._ticker = ticker
        self._guard = guard
        self._see_last = see_last
        self._is_ticking = False

    def close_incidents(self, deadline: Deadline) -> bool:
        """Close what is open, write it and deliver it. Blocks, but never a thread of ours.

        What the application did before this call is seen first, by a whole tick.

        Returns:
            Whether all that is done, as far as it can be done now; a delivery may have failed.
        """
        closed = allocate_lock()
        closed.acquire()

        def close() -> None:
            self._incidents.close_now()
            closed.release()

        self._ticker.after_tick(close)
        self._ticker.wake()
        if is_own_thread() or self._worker.is_held_here():
            return False  # what is waited for would wait for this thread
        return closed.acquire(True, deadline.seconds_left) and self._worker.wait_idle(deadline)

    def flush(self, deadline: Deadline) -> bool:
        """Close what is open, write it and deliver it; see `close_incidents`.

        Returns:
            Whether all incidents of this run are where they should be.
        """
        failed = self._incidents.failed
        if self._worker.has_unsent():
            self._worker.wake()  # whatever failed a moment ago
        is_done = self.close_incidents(deadline) and self._incidents.failed == failed
        return is_done and not self._worker.has_unsent()

    def finish(self, deadline: Deadline) -> None:
        """End the ticks, close what is open, and give the worker what is left of the time."""
        self._session.note_end()
        self._incidents.hurry(deadline)
        self._is_ticking = not self._ticker.stop(deadline.part(_TICK_SHARE))
        if not self._is_ticking:
            with self._guard.swallow("close incident"):
                self._see_last()
                self._incidents.close_now()
        with self._guard.swallow("stop worker"):
            self._worker.stop(deadline.part(_WORK_SHARE))
        if self._spool.in_memory:
            _logger.warning(
                "otel-flight could neither write nor send %d incidents, which end with the process",
                self._spool.in_memory,
            )
        self._guard.report()

    def release_ring(self, deadline: Deadline) -> None:
        """Let go of the ring after the end. It is removed, unless it has what was not finished."""
        if self._is_ticking:  # a tick still reads it: the last one lets go of it, if it comes
            self._ticker.end_with(partial(self._session.close, deadline, clean=False))
            return
        self._incidents.take_results()
        self._session.close(deadline, clean=not self._incidents.has_unfinished)
