"""Pauses by garbage collection: while one runs, no thread of this interpreter runs Python code.

The callback runs wherever a collection starts: in any thread, within any allocation, our own
included. So it reads the clock, and leaves numbers in a bounded deque for the ticker.
"""

from __future__ import annotations

import gc
from collections import deque
from threading import get_ident
from typing import Any, Final

from otel_flight.clock import ClockPair, monotonic_ns
from otel_flight.recording.records import RuntimeEvent
from otel_flight.sources.base import Surroundings, current_ids, halves

MOST_WAITING: Final = 256
"""Pauses over the limit that may wait for the ticker, the oldest making room."""
_GENERATIONS: Final = 3


class GcPauses:
    """Record each collection that takes longer than the limit, and count all of them.

    Attributes:
        collections: how many ended since the start, by generation.
        pause_ns: how long they took in all, by generation.
    """

    name = "gc"

    def __init__(self, surroundings: Surroundings) -> None:
        limit_seconds = surroundings.settings.gc_pause_seconds
        assert limit_seconds is not None
        self._limit_ns = int(limit_seconds * 1e9)
        self._events = surroundings.events
        self._guard = surroundings.guard
        self._clock = surroundings.clock
        self._started_ns = 0
        self._waiting: deque[tuple[int, ...]] = deque(maxlen=MOST_WAITING)
        self.collections = [0] * _GENERATIONS
        self.pause_ns = [0] * _GENERATIONS

    def start(self) -> None:
        """Register the callback."""
        gc.callbacks.append(self._collecting)

    def stop(self) -> None:
        """Take the callback out."""
        if self._collecting in gc.callbacks:
            gc.callbacks.remove(self._collecting)

    def tick(self) -> None:
        """Record the pauses since the last tick."""
        if not self._waiting:
            return
        now = ClockPair.now(self._clock)
        while self._waiting:
            start, end, generation, collected, uncollectable, thread_id, trace_id, span_id = (
                self._waiting.popleft()
            )
            self._events.record(
                RuntimeEvent(
                    self.name,
                    "gc pause",
                    now.to_wall_ns(start),
                    now.to_wall_ns(end),
                    thread_id,
                    *halves(trace_id),
                    span_id,
                    {
                        "cpython.gc.generation": generation,
                        "cpython.gc.collected_objects": collected,
                        "cpython.gc.uncollectable_objects": uncollectable,
                    },
                )
            )

    def _collecting(self, phase: str, details: dict[str, Any]) -> None:
        """Called by the interpreter before and after each collection; they do not nest."""
        try:
            if phase == "start":
                self._started_ns = monotonic_ns()
                return
            started_ns, self._started_ns = self._started_ns, 0
            if not started_ns:  # registered in the middle of it
                return
            end_ns = monotonic_ns()
            generation = details["generation"]
            self.collections[generation] += 1
            self.pause_ns[generation] += end_ns - started_ns
            if end_ns - started_ns >= self._limit_ns:
                self._waiting.append(
                    (
                        started_ns,
                        end_ns,
                        generation,
                        details["collected"],
                        details["uncollectable"],
                        get_ident(),
                        *current_ids(),
                    )
                )
        except Exception as error:  # noqa: BLE001
            self._guard.note(self.name, error)
