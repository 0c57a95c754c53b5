"""Looks after processes of the same service that died: finishes what their rings hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from otel_flight.clock import Clock
from otel_flight.errors import NotARing
from otel_flight.guard import Guard
from otel_flight.incidents.recovery.recoverer import Recoverer
from otel_flight.ring.dead_rings import dead_rings

BETWEEN_LOOKS_SECONDS: Final = 2.0
"""Dead rings are looked for so often: who died is found out as late."""
_MOST_PASSED: Final = 1000


class Recovery:
    """Lets the worker recover dead rings beside our own. For the ticker's thread.

    Args:
        recoverer: does it.
        own_ring: returns the path of our ring, None when it has none.
        submit: lets the worker do something.
    """

    def __init__(
        self,
        recoverer: Recoverer,
        own_ring: Callable[[], Path | None],
        submit: Callable[[Callable[[], None]], None],
        clock: Clock,
        guard: Guard,
    ) -> None:
        self._recoverer = recoverer
        self._own_ring = own_ring
        self._submit = submit
        self._clock = clock
        self._guard = guard
        self._next_look_ns = 0
        self._is_at_work = False
        self._passed: set[Path] = set()

    def look(self, service: str) -> None:
        """Look for dead processes of a service, now and then. 20 µs for each ring there is."""
        now_ns = self._clock.monotonic_ns()
        own = self._own_ring()
        if self._is_at_work or now_ns < self._next_look_ns or own is None:
            return
        self._next_look_ns = now_ns + int(BETWEEN_LOOKS_SECONDS * 1e9)
        dead = [path for path in dead_rings([own.parent]) if path not in self._passed]
        if dead:
            self._is_at_work = True
            self._submit(partial(self._recover, dead, service))

    def _recover(self, paths: Sequence[Path], service: str) -> None:
        try:
            for path in paths:
                with self._guard.swallow("recover"):
                    self._recover_one(path, service)
        finally:
            self._is_at_work = False

    def _recover_one(self, path: Path, service: str) -> None:
        try:
            kept = self._recoverer.recover(path, service)
        except (NotARing, OSError):  # gone, of a newer version, or no room: the spool has said so
            kept = None
        if kept is None and len(self._passed) < _MOST_PASSED:
            self._passed.add(path)
