"""Removes what is older than it may become: incidents, and rings of dead processes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from otel_flight.errors import SpoolUnavailable
from otel_flight.ground.clock import Clock
from otel_flight.ground.guard import Guard
from otel_flight.incidents.spool.directory import SpoolDirectory
from otel_flight.ring.cleanup import remove_expired_rings
from otel_flight.words import count

BETWEEN_LOOKS_SECONDS: Final = 3600.0
"""What is too old is looked for so often: it becomes older by as much."""

_logger = logging.getLogger("otel_flight")


class Retention:
    """Lets the worker remove it. For the ticker's thread.

    Args:
        seconds: how old it may become.
        spool: returns the directory of incidents.
        rings: returns the directories of rings.
        submit: lets the worker do something.
    """

    def __init__(
        self,
        seconds: float,
        *,
        spool: Callable[[], Path],
        rings: Callable[[], Sequence[Path]],
        submit: Callable[[Callable[[], None]], None],
        clock: Clock,
        guard: Guard,
    ) -> None:
        self._seconds = seconds
        self._spool = spool
        self._rings = rings
        self._submit = submit
        self._clock = clock
        self._guard = guard
        self._next_look_ns = 0

    def look(self) -> None:
        """Let it be removed, at first and then now and then."""
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._next_look_ns:
            self._next_look_ns = now_ns + int(BETWEEN_LOOKS_SECONDS * 1e9)
            self._submit(self._remove)

    def _remove(self) -> None:
        before_ns = self._clock.wall_ns() - int(self._seconds * 1e9)
        spool = self._spool()
        with self._guard.swallow("remove old rings"):
            for directory in filter(Path.is_dir, self._rings()):
                remove_expired_rings(directory, before_ns)
        with self._guard.swallow("remove old incidents"), contextlib.suppress(SpoolUnavailable):
            lost = SpoolDirectory(spool, 0, 0).remove_older(before_ns) if spool.is_dir() else 0
            if lost:
                _logger.warning(
                    "otel-flight removed %s from %s that could not be delivered for as long as "
                    "OTEL_FLIGHT_RETENTION says",
                    count(lost, "incident"),
                    spool,
                )
