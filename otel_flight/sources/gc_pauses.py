"""Pauses by garbage collection: while one runs, no thread of this interpreter runs Python code.

The callback runs wherever a collection starts: in any thread, within any allocation, our own
included. So it reads the clock, and leaves numbers in a bounded deque for the ticker.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from otel_flight.ground.clock import ClockPair, thread_time_ns
from otel_flight.ground.native import get_ident
from otel_flight.interpreter.code.places import Place
from otel_flight.interpreter.current_ids import current_ids
from otel_flight.interpreter.own_frames import without_ours
from otel_flight.interpreter.recursion import guarded_in_collection
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings, halves, places_of

MOST_WAITING: Final = 256
"""At most this many pauses over the limit wait for the ticker; the oldest make room."""
GENERATIONS: Final = 3
_MOST_PLACES: Final = 32


class _Pause(NamedTuple):
    start_ns: int
    end_ns: int
    generation: int
    collected: int
    uncollectable: int
    cpu_ns: int | None
    thread_id: int
    ids: tuple[int, int]
    places: tuple[Place, ...]


@dataclass(frozen=True, kw_only=True)
class GcPauseSettings(SettingsGroup):
    """Which pauses by garbage collection are recorded."""

    gc_pause_seconds: float | None = setting_field("GC_PAUSE", 0.01, kinds.limit())
    """How long a garbage collection must take to be recorded; all are counted."""


class GcPauses:
    """Record each collection that takes longer than the limit, and count all of them.

    Attributes:
        collections: how many ended since the start, by generation.
        pause_ns: how long they took in all, by generation.
        dropped: pauses over the limit that had no room to wait for the ticker.
    """

    name = source_names.GC

    def __init__(self, limit_seconds: float, surroundings: Surroundings) -> None:
        self._limit_ns = int(limit_seconds * 1e9)
        self._events = surroundings.events
        self._guard = surroundings.guard
        self._clock = surroundings.clock
        self._monotonic_ns = surroundings.clock.monotonic_ns
        self._started_ns = 0
        self._started_cpu_ns: int | None = None
        self._waiting: deque[_Pause] = deque(maxlen=MOST_WAITING)
        self.collections = [0] * GENERATIONS
        self.pause_ns = [0] * GENERATIONS
        self.dropped = 0
        self._callback = guarded_in_collection(self._collecting)

    def start(self) -> None:
        """Register the callback."""
        gc.callbacks.append(self._callback)

    def stop(self) -> None:
        """Remove the callback."""
        if self._callback in gc.callbacks:
            gc.callbacks.remove(self._callback)

    def tick(self) -> None:
        """Record the pauses since the last tick."""
        self.settle()

    def settle(self) -> None:
        """Record the pauses that are waiting."""
        if not self._waiting:
            return
        now = ClockPair.now(self._clock)
        # Not until it is empty: recording may itself make a collection run, which adds one.
        for _ in range(len(self._waiting)):
            pause = self._waiting.popleft()
            self._events.record(
                RuntimeEvent(
                    self.name,
                    event_names.GC_PAUSE,
                    now.to_wall_ns(pause.start_ns),
                    now.to_wall_ns(pause.end_ns),
                    pause.thread_id,
                    *halves(pause.ids[0]),
                    pause.ids[1],
                    {
                        names.GC_GENERATION: pause.generation,
                        names.GC_COLLECTED: pause.collected,
                        names.GC_UNCOLLECTABLE: pause.uncollectable,
                        **({} if pause.cpu_ns is None else {names.GC_CPU: pause.cpu_ns}),
                    },
                ),
                without_ours(pause.places),
            )

    def counts(self) -> Mapping[str, int]:
        """Return collections and nanoseconds of pause by generation, and what was dropped."""
        counts = {"dropped": self.dropped}
        for generation in range(GENERATIONS):
            counts[f"collections.{generation}"] = self.collections[generation]
            counts[f"pause_ns.{generation}"] = self.pause_ns[generation]
        return counts

    def _collecting(self, phase: str, details: dict[str, Any]) -> None:
        """Called by the interpreter before and after each collection; they do not nest."""
        try:
            if phase == "start":
                # A system call, and so not for the many collections of young objects.
                is_full = details["generation"] == GENERATIONS - 1
                self._started_cpu_ns = thread_time_ns() if is_full else None
                self._started_ns = self._monotonic_ns()
                return
            started_ns, self._started_ns = self._started_ns, 0
            if not started_ns:  # registered in the middle of it
                return
            end_ns = self._monotonic_ns()
            generation = details["generation"]
            self.collections[generation] += 1
            self.pause_ns[generation] += end_ns - started_ns
            if end_ns - started_ns >= self._limit_ns:
                self.dropped += len(self._waiting) == MOST_WAITING
                self._waiting.append(
                    _Pause(
                        started_ns,
                        end_ns,
                        generation,
                        details["collected"],
                        details["uncollectable"],
                        _since(self._started_cpu_ns),
                        get_ident(),
                        current_ids(),
                        places_of(sys._getframe(1), _MOST_PLACES),
                    )
                )
        except Exception as error:  # noqa: BLE001
            self._guard.note(self.name, error)


def _since(cpu_ns: int | None) -> int | None:
    return None if cpu_ns is None else thread_time_ns() - cpu_ns


def _build(settings: GcPauseSettings, surroundings: Surroundings) -> GcPauses | None:
    limit = settings.gc_pause_seconds
    return None if limit is None else GcPauses(limit, surroundings)


SOURCE: Final = SourceDescription(
    name=source_names.GC,
    settings=GcPauseSettings,
    build=_build,
    lane="gc",
    docs="explanation/runtime-events.md",
)
