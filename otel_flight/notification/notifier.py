"""Tells of each incident that was kept: one log record, and what the settings name besides.

A notification that is not taken is tried again, later by whatever process of the service is there:
it stands in a small file beside its incident until it was taken, or is too old to matter.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from otel_flight.ground.backoff import Backoff
from otel_flight.ground.clock import Clock
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.ground.own_files import open_file, whole_file
from otel_flight.ground.quoting import shown_target
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.directory import NOTIFICATION_SUFFIX, SpoolEntry, claimed
from otel_flight.incidents.spool.spool import Spool
from otel_flight.notification.channels import preload, send
from otel_flight.notification.message import Message, body_for, message_of
from otel_flight.notification.not_sent import NotSent
from otel_flight.settings.fields import CoreSettings

_logger = logging.getLogger("otel_flight")

LONGEST_SECONDS: Final = 10.0
"""A command or a server has at most so many seconds for one notification."""
OLDEST_SECONDS: Final = 3600.0
"""A notification that was not taken for so many seconds is given up."""
_MOST_IN_MEMORY: Final = 20
_MOST_BYTES: Final = 64 * 1024

_Waiting = tuple[Message, float, Callable[[], None]]


class Notifier:
    """Tells someone. For the worker's thread, beside the deliveries.

    Args:
        spool: where incidents are.
        settings: whom to tell.
        guard: notes what fails for reasons nobody thought of.
        clock: a fake one in tests.
        backoff: how long to wait after a failure.
    """

    def __init__(
        self,
        spool: Spool,
        settings: CoreSettings,
        guard: Guard,
        clock: Clock,
        backoff: Backoff | None = None,
    ) -> None:
        self._spool = spool
        self._settings = settings
        self._guard = guard
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._in_memory: list[tuple[Message, float]] = []
        self._not_before_ns = 0
        if settings.notify is not None:
            with guard.swallow("preload notification"):
                preload(settings.notify)

    def tell(self, incident: Incident, entry: SpoolEntry) -> None:
        """Log that an incident was kept, and let `deliver_due` tell others."""
        with self._guard.swallow("notify"):
            path = None if entry.is_in_memory else entry.path
            message = message_of(incident.manifest, path, self._settings)
            self._log(message)
            if self._settings.notify is None:
                return
            try:
                if path is None:
                    raise FileNotFoundError
                with whole_file(path.with_suffix(NOTIFICATION_SUFFIX)) as stream:
                    stream.write(msgspec.json.encode(message))
            except OSError:
                waiting = [*self._in_memory, (message, self._now())]
                self._in_memory = waiting[-_MOST_IN_MEMORY:]

    def deliver_due(self, check_in: Callable[[], float | None]) -> float | None:
        """Tell what was not told yet; see `Delivery.deliver_due`."""
        if self._settings.notify is None:
            return None
        wait_seconds = (self._not_before_ns - self._clock.monotonic_ns()) / 1e9
        if wait_seconds > 0 and check_in() is None:
            return wait_seconds
        for message, since, done in self._waiting():
            seconds_left = check_in()
            limit = LONGEST_SECONDS if seconds_left is None else min(LONGEST_SECONDS, seconds_left)
            if limit <= 0:
                return None
            try:
                self._send(message, Deadline.after(limit))
            except NotSent as error:
                is_first = not self._backoff.failures
                if error.is_final or self._now() - since > OLDEST_SECONDS:
                    self._say_failed(message, error, is_given_up=True)
                    done()
                    continue
                if is_first:
                    self._say_failed(message, error, is_given_up=False)
                wait_seconds = self._backoff.failed()
                self._not_before_ns = self._clock.monotonic_ns() + int(wait_seconds * 1e9)
                return wait_seconds
            self._backoff.succeeded()
            done()
        return None

    def has_unsent(self) -> bool:
        """Return that nobody waits for a notification."""
        return False

    def abort(self, timeout_seconds: float) -> None:
        """Do nothing: what is sent has a deadline."""

    def _waiting(self) -> Iterator[_Waiting]:
        """Yield what is to be told, since when, and what to call when that is done."""
        for each in list(self._in_memory):
            yield *each, partial(self._in_memory.remove, each)
        for path in sorted(self._spool.directory.glob(f"*{NOTIFICATION_SUFFIX}")):
            with claimed(path) as is_ours:
                message = _read(path) if is_ours else None
                if message is not None:
                    yield message, _written(path), partial(path.unlink, missing_ok=True)

    def _send(self, message: Message, deadline: Deadline) -> None:
        target = self._settings.notify or ""
        variables = {
            "OTEL_FLIGHT_ENABLED": "false",  # an incident of the command is not one of the service
            "OTEL_FLIGHT_INCIDENT_ID": message.incident_id,
            "OTEL_FLIGHT_INCIDENT_FILE": message.file,
            "OTEL_FLIGHT_INCIDENT_TEXT": message.text,
        }
        send(target, body_for(target, message), variables, deadline)

    def _now(self) -> float:
        return self._clock.wall_ns() / 1e9

    def _log(self, message: Message) -> None:
        level = self._settings.incident_log_level
        if level is not None:
            number = logging.getLevelName(level)
            _logger.log(
                number if isinstance(number, int) else logging.WARNING,
                "otel-flight kept incident %s of %s",
                message.incident_id,
                ". ".join(message.text.split("\n")),
            )

    def _say_failed(self, message: Message, error: NotSent, *, is_given_up: bool) -> None:
        _logger.warning(
            "otel-flight could not tell %s of incident %s: %s. %s",
            shown_target(self._settings.notify or ""),
            message.incident_id,
            error,
            "It is given up" if is_given_up else "It is tried again",
        )


def _read(path: Path) -> Message | None:
    """Return what a file says; None, and the file is removed, when it says nothing."""
    try:
        with os.fdopen(open_file(path), "rb") as stream:
            return msgspec.json.decode(stream.read(_MOST_BYTES), type=Message)
    except (OSError, ValueError, msgspec.MsgspecError):
        with contextlib.suppress(OSError):
            path.unlink()
        return None


def _written(path: Path) -> float:
    with contextlib.suppress(OSError):  # evicted
        return path.stat().st_mtime
    return 0.0
