"""How much CPU time each Python thread used, without a file, a lock or its cooperation."""

from __future__ import annotations

import sys
import threading
from typing import Final, NamedTuple

from otel_flight.ground.clock import clock_gettime_ns, monotonic_ns
from otel_flight.interpreter.threads import alive_threads, ident_of, native_id_of

MOST_THREADS: Final = 64
"""At most this many threads' clocks are read at a time (0.4 µs each); of more, these come round in
turn."""
_APART_NS: Final = 50_000
"""Two readings of a clock, so many nanoseconds apart, tell whether its thread is running: then it
ran for at least half of that, as one that waits for the GIL wakes now and then to ask for it."""
_PER_THREAD_CLOCK: Final = 6  # CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED


class Used(NamedTuple):
    """A thread and what it used."""

    thread_id: int
    cpu_ns: int
    is_running: bool = False
    """Just now, while the calling thread holds the GIL: it does without."""


class ThreadClocks:
    """Clocks as they stood at the last look. One thread only: the ticker.

    Linux has a clock for each thread, named by the number the kernel gave it; of a thread that has
    ended it says so. The calling thread is left out.
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._is_complete = True
        self._turn = 0

    def note(self) -> None:
        """Remember how the clocks stand."""
        threads = _threads()
        self._is_complete = len(threads) <= MOST_THREADS
        if not self._is_complete:
            begin = self._turn % len(threads)
            self._turn = begin + MOST_THREADS
            chosen = {*(threads[begin:] + threads[:begin])[:MOST_THREADS]}
            clocks = {each: self._last[each] for each in threads if each in self._last}
        else:
            chosen, clocks = {*threads}, {}
        for native_id, time_ns in _read(chosen).items():
            clocks[native_id] = time_ns
        self._last = clocks

    def look(self) -> dict[int, int]:
        """Return what threads used since the last look, by thread id; note how they stand now."""
        threads = {native_id_of(each): ident_of(each) for each in alive_threads()[:MOST_THREADS]}
        before, self._last = self._last, _read({*threads} & {*_threads()})
        return {
            threads[native_id]: time_ns - before[native_id]
            for native_id, time_ns in self._last.items()
            if native_id in before
        }

    def have_all_run(self) -> bool:
        """Return whether every other thread has used CPU time since the last look or note.

        So has each after a stop of the process, which wakes those that wait.
        """
        used = self.look()
        return bool(used) and all(used.values())

    def used(self) -> list[Used]:
        """Return what threads used since they were noted.

        Takes 50 µs. To be called by a thread that holds the GIL and has not released it
        since it got it: who is running all the same was not holding it before.
        """
        threads = {native_id_of(thread): ident_of(thread) for thread in alive_threads()}
        # Of all noted, one that is not among them has begun since, with its clock at zero.
        known = {*_threads()} if self._is_complete else {*self._last}
        first = _read(known & {*threads})
        until = monotonic_ns() + _APART_NS
        while monotonic_ns() < until:
            pass
        second = _read({*first})
        return [
            Used(
                threads[native_id],
                time_ns - self._last.get(native_id, 0),
                second.get(native_id, time_ns) - time_ns >= _APART_NS // 2,
            )
            for native_id, time_ns in first.items()
        ]


def _threads() -> list[int]:
    own = threading.get_native_id()
    found = [native_id_of(thread) for thread in alive_threads()]
    return [native_id for native_id in found if native_id not in (0, own)]


def _read(native_ids: set[int]) -> dict[int, int]:
    if not CAN_READ_CLOCKS:
        return {}
    found = {}
    for native_id in native_ids:
        time_ns = _clock(native_id)
        if time_ns is not None:
            found[native_id] = time_ns
    return found


def _clock(native_id: int) -> int | None:
    try:
        return clock_gettime_ns(~native_id << 3 | _PER_THREAD_CLOCK)
    except (OSError, OverflowError):  # the thread has ended
        return None


CAN_READ_CLOCKS: Final = sys.platform == "linux" and _clock(threading.get_native_id()) is not None
