"""Looks for the rings of processes that died, and lets them be recovered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from otel_flight.errors import NotARing
from otel_flight.ground.clock import Clock
from otel_flight.ground.guard import Guard
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.ring.dead_rings import dead_rings

BETWEEN_LOOKS_SECONDS: Final = 2.0
"""Dead rings are looked for so often: who died is found out as late."""
_BETWEEN_TRIES_SECONDS: Final = 10.0
"""A ring that was not to be recovered, of another service say, or for which there was no room, is
tried again after so many seconds."""


class Recovery:
    """Lets the worker recover dead rings. For one thread, the ticker's.

    Args:
        recover: makes incidents of a ring, and removes it; returns None where it is not to.
        directories: returns where rings are.
        submit: lets the worker do something.
    """

    def __init__(
        self,
        recover: Callable[[Path], Sequence[SpoolEntry] | None],
        directories: Callable[[], Sequence[Path]],
        submit: Callable[[Callable[[], None]], None],
        clock: Clock,
        guard: Guard,
    ) -> None:
        self._recover_ring = recover
        self._directories = directories
        self._submit = submit
        self._clock = clock
        self._guard = guard
        self._next_look_ns = 0
        self._is_at_work = False
        self._passed: dict[Path, int] = {}

    def look(self) -> None:
        """Look for dead processes, now and then. 20 µs for each ring there is."""
        now_ns = self._clock.monotonic_ns()
        if self._is_at_work or now_ns < self._next_look_ns:
            return
        self._next_look_ns = now_ns + int(BETWEEN_LOOKS_SECONDS * 1e9)
        dead = dead_rings(self._directories())
        before_ns = now_ns - int(_BETWEEN_TRIES_SECONDS * 1e9)
        self._passed = {path: at for path, at in self._passed.items() if at > before_ns}
        untried = [path for path in dead if path not in self._passed]
        if untried:
            self._is_at_work = True
            self._submit(partial(self._recover, untried))

    def _recover(self, paths: Sequence[Path]) -> None:
        try:
            for path in paths:
                with self._guard.swallow("recover"):
                    self._recover_one(path)
        finally:
            self._is_at_work = False

    def _recover_one(self, path: Path) -> None:
        try:
            kept = self._recover_ring(path)
        except (NotARing, OSError):  # gone, of a newer version, or no room: the spool has said so
            kept = None
        if kept is None:
            self._passed[path] = self._clock.monotonic_ns()
