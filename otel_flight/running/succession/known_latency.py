"""Keeps what a run has learned of latencies beyond the process: read at its start, written later.

Files are read and written by the worker, whose thread may wait for a slow disk; the limits belong
to the ticker's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from otel_flight.ground.clock import Clock
from otel_flight.ground.guard import Guard
from otel_flight.triggers.latency.knowledge import read_knowledge, write_knowledge
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.triggers.latency.sketch import LatencySketch

BETWEEN_WRITES_SECONDS: Final = 300.0
"""What was learned is written after so many seconds; a process that is killed loses as much."""


class KnownLatency:
    """The learned limits of a run and their file. For the ticker's thread.

    Args:
        limits: what learns.
        directory: returns where the file is.
        submit: lets the worker do something.
        redact: returns a name without the secrets that it may have.
    """

    def __init__(  # noqa: PLR0917
        self,
        limits: LearnedLimits,
        directory: Callable[[], Path],
        submit: Callable[[Callable[[], None]], None],
        clock: Clock,
        guard: Guard,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._limits = limits
        self._directory = directory
        self._submit = submit
        self._clock = clock
        self._guard = guard
        self._redact = redact
        self._service: str | None = None
        self._read: Mapping[str, LatencySketch] | None = None
        self._written = 0
        self._next_write_ns = 0

    def begin(self, service: str) -> None:
        """Let what earlier processes of this service knew be read."""
        self._service = service
        self._next_write_ns = self._after()
        self._submit(self._load)

    def look(self) -> None:
        """Learn from what was noted, take over what was read, and let it be written when due."""
        read, self._read = self._read, None
        if read:
            self._limits.take_over(read)
            self._written = self._limits.values
        self._limits.learn()
        if self._service is not None and self._clock.monotonic_ns() >= self._next_write_ns:
            self._write()

    def end(self) -> None:
        """Learn a last time, and let it be written."""
        self.look()
        self._write()

    def _write(self) -> None:
        """Let what was learned be written, if there is anything new."""
        self._next_write_ns = self._after()
        knowledge = self._limits.knowledge()
        if self._service is None or not knowledge or self._limits.values == self._written:
            return
        self._written = self._limits.values
        self._submit(partial(self._save, self._service, knowledge))

    def _after(self) -> int:
        return self._clock.monotonic_ns() + int(BETWEEN_WRITES_SECONDS * 1e9)

    def _load(self) -> None:
        with self._guard.swallow("read learned limits"):
            known = read_knowledge(self._directory()).get(self._service or "")
            self._read = None if known is None else known.roots

    def _save(self, service: str, knowledge: Mapping[str, LatencySketch]) -> None:
        # A directory that cannot be used is reported by the spool.
        with self._guard.swallow("write learned limits"), contextlib.suppress(OSError):
            clean = {self._redact(name): sketch for name, sketch in knowledge.items()}
            write_knowledge(self._directory(), service, clean, self._clock.wall_ns() / 1e9)
