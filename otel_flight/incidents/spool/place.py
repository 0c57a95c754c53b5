"""Where a process keeps its incidents: the first directory that it can use, as rings have it.

While nothing can be written, that is tried again at longer and longer intervals: a full disk is not
filled once more by each attempt, nor is a core kept busy with compressing what it does not take.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from otel_flight.errors import SpoolUnavailable
from otel_flight.ground.backoff import Backoff
from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.ground.own_files import own_name, temporary_directories, with_own_below
from otel_flight.incidents.spool.directory import SpoolDirectory
from otel_flight.incidents.spool.memory_shelf import MAX_UNWRITTEN

_logger = logging.getLogger("otel_flight")

_ADVICE: Final = "set OTEL_FLIGHT_SPOOL_DIRECTORY to a directory that this user can write to"


def spool_directories(named: Path | None) -> list[Path]:
    """Return the directories that incidents may be kept in, best first; none: there are none.

    Args:
        named: what the setting names; None: nothing.
    """
    defaults = []
    state = Path(os.environ.get("XDG_STATE_HOME") or ".")
    try:
        base = state if state.is_absolute() else Path.home() / ".local" / "state"
        defaults.append(base / "otel-flight" / "spool")
    except RuntimeError:  # a user without a home, as in a bare container
        pass
    temporary = temporary_directories() or [Path("/tmp") / own_name()]  # noqa: S108
    defaults += [directory / "spool" for directory in temporary]
    return defaults if named is None else [*with_own_below(named), *defaults]


class SpoolPlace:
    """The directory that is in use. For the worker's jobs and its thread; what it says, for any.

    Args:
        candidates: which directories it may be, best first.
        max_bytes: of all files together.
        max_incidents: of all processes together.
        clock: a fake one in tests.

    Attributes:
        directory: what is in use, or would be if that were possible.
    """

    def __init__(
        self,
        candidates: Sequence[Path],
        max_bytes: int,
        max_incidents: int,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._limits = (max_bytes, max_incidents)
        self._candidates = [SpoolDirectory(each, *self._limits) for each in candidates]
        self._own_name = own_name()
        self._clock = clock
        self._backoff = Backoff()
        self._retry_ns = 0
        self._is_placed = False
        self._misplaced = ""
        self._why = self._failure = ""
        self.directory = self._candidates[0]

    @property
    def problem(self) -> str:
        """What is not as it was asked for, as it reads after a name; empty: all is well."""
        return self._failure or self._misplaced

    def prepare(self) -> None:
        """Choose the directory, and warn where it is not the one that was asked for. Once."""
        if self._is_placed or self._backoff.failures:
            return
        try:
            self._choose()
        except SpoolUnavailable as error:
            self._failed(error.why)
        else:
            if self.problem:
                _logger.warning("otel-flight %s; %s", self.problem, _ADVICE)

    def write(
        self, name: str, write: Callable[[BinaryIO], object], *, is_last: bool = False
    ) -> Path:
        """Write a file and make room for it, unless that failed a moment ago.

        Args:
            name: of the file.
            write: writes it to a stream.
            is_last: whether to try it whatever was a moment ago.

        Raises:
            OSError: it could not be written.
        """
        self.prepare()
        if self.seconds_until_retry() > 0 and not is_last:
            raise SpoolUnavailable(self.directory.path, self._why)
        try:
            if not self._is_placed:
                self._choose()
            path = self.directory.add(name, write)
        except OSError as error:
            self._is_placed = False
            self._failed(getattr(error, "why", "") or error.strerror or str(error))
            raise
        self._succeeded()
        return path

    def seconds_until_retry(self) -> float:
        """Return how long not to write; 0: it may be tried."""
        return max(0.0, (self._retry_ns - self._clock.monotonic_ns()) / 1e9)

    def _choose(self) -> None:
        refusals: list[SpoolUnavailable] = []
        self._misplaced = ""
        candidates = self._candidates
        if own_name() != self._own_name:  # as a server that was started by root becomes another one
            candidates = [each for each in candidates if each.path.parent.name != self._own_name]
            fallbacks = (each / "spool" for each in temporary_directories())
            candidates += (SpoolDirectory(each, *self._limits) for each in fallbacks)
        for directory in candidates:
            try:
                directory.check()
            except SpoolUnavailable as error:
                refusals.append(error)
                continue
            self._is_placed = True
            self.directory = directory
            if refusals:
                first = refusals[0]
                self._misplaced = (
                    f"keeps incidents in {directory.path} instead of {first.path}: {first.why}"
                )
            return
        others = "".join(f"; {each.path}: {each.why}" for each in refusals[1:])
        raise SpoolUnavailable(refusals[0].path, refusals[0].why + others)

    def _failed(self, why: str) -> None:
        self._why = why
        self._failure = f"cannot write incidents to {self.directory.path}: {why}"
        if not self._backoff.failures:
            _logger.warning(
                "otel-flight %s. At most %d are kept in memory, and sent from there, until it can: "
                "%s",
                self._failure,
                MAX_UNWRITTEN,
                _ADVICE,
            )
        self._retry_ns = self._clock.monotonic_ns() + int(self._backoff.failed() * 1e9)

    def _succeeded(self) -> None:
        self._failure = ""
        self._retry_ns = 0
        if failures := self._backoff.succeeded():
            _logger.info(
                "otel-flight writes incidents to %s again, after %d failed attempts",
                self.directory.path,
                failures,
            )
