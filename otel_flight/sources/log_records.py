"""What the application logs, from a chosen level on, each record with the span it was logged in.

This runs on the application's threads, within its own calls of `logging`: formatting a message is
the only code of the application that is run, and that only where no handler has done it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from otel_flight.ground.clock import ClockPair
from otel_flight.ground.native import get_ident, is_own_thread
from otel_flight.interpreter.current_ids import current_ids
from otel_flight.names import event_names, source_names
from otel_flight.names import log_attributes as names
from otel_flight.names.attributes import FILE, FUNCTION, LINE
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings, halves
from otel_flight.sources.hooks.exception_facts import exception_attributes, traceback_places
from otel_flight.sources.hooks.lane_share import LaneShare
from otel_flight.sources.hooks.log_tap import LOG_TAP, message_of

LONGEST_MESSAGE: Final = 4096
_LONGEST_NAME: Final = 256
_OWN_LOGGER: Final = "otel_flight"
_RECORD_BYTES: Final = 320
"""A record takes about so many bytes besides its message."""
_AT_ONCE: Final = 0.25
_IN_WINDOW: Final = 0.5
"""Log records may fill these parts of the runtime lane at any moment, and during a window besides;
the last quarter is for the other sources, however much is logged."""


@dataclass(frozen=True, kw_only=True)
class LogSettings(SettingsGroup):
    """Which log records are recorded."""

    log_level: str | None = setting_field("LOG_LEVEL", "WARNING", kinds.or_off(kinds.log_level()))
    """From which level on log records are recorded, as far as their loggers let them through."""


class LogRecords:
    """Record what is logged, up to a rate that leaves room for the other sources."""

    name = source_names.LOGS

    def __init__(self, level: int, surroundings: Surroundings) -> None:
        self._level = level
        self._events = surroundings.events
        self._guard = surroundings.guard
        self._clock = surroundings.clock
        self._share = LaneShare(
            surroundings.settings,
            at_once=_AT_ONCE,
            in_window=_IN_WINDOW,
            now_ns=surroundings.clock.monotonic_ns(),
        )
        self._busy: set[int] = set()
        self._recorded = 0

    def start(self) -> None:
        """See every record from now on."""
        LOG_TAP.add(self._logged)

    def stop(self) -> None:
        """See no more."""
        LOG_TAP.remove(self._logged)

    def tick(self) -> None:
        """Allow for more records, and say how many had to be left out since the last tick."""
        self.settle()

    def settle(self) -> None:
        """Say how many records had to be left out."""
        now = ClockPair.now(self._clock)
        left_out = self._share.give(now.monotonic_ns)
        if left_out:
            event = RuntimeEvent(
                self.name, event_names.LOG_RECORDS_LEFT_OUT, now.wall_ns, now.wall_ns
            )
            event.attributes = {names.LEFT_OUT: left_out}
            self._events.record(event)

    def counts(self) -> Mapping[str, int]:
        """Return how many records were recorded, and how many were left out as there were more."""
        return {"records": self._recorded, "left_out": self._share.refused}

    def _logged(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        try:
            if record.levelno < self._level or _is_own(record):
                return
            thread_id = get_ident()
            # What is logged while we record comes from us, or from an argument's `__str__`, which
            # would go on like this for ever.
            if thread_id in self._busy:
                return
            try:
                self._busy.add(thread_id)
                self._record(record, thread_id)
            finally:
                self._busy.discard(thread_id)
        except Exception as error:  # noqa: BLE001
            self._guard.note(self.name, error)

    def _record(self, record: logging.LogRecord, thread_id: int) -> None:
        if not self._share.has_room():
            return
        message = _cut(message_of(record), LONGEST_MESSAGE)
        self._share.take(_RECORD_BYTES + len(message))
        self._recorded += 1
        attributes: dict[str, Any] = {
            names.LOGGER: _cut(str(record.name), _LONGEST_NAME),
            names.SEVERITY: _cut(str(record.levelname), _LONGEST_NAME),
            names.LEVEL: record.levelno,
            names.MESSAGE: message,
            FUNCTION: record.funcName,
            FILE: record.pathname,
            LINE: record.lineno,
        }
        error = record.exc_info[1] if record.exc_info else None
        places = []
        if isinstance(error, BaseException):
            attributes |= exception_attributes(error)
            places = traceback_places(error.__traceback__)
        trace_id, span_id = current_ids()
        logged_ns = int(record.created * 1e9)
        event = RuntimeEvent(
            self.name,
            event_names.LOG_RECORD,
            logged_ns,
            logged_ns,
            thread_id,
            *halves(trace_id),
            span_id,
            attributes,
        )
        self._events.record(event, places)


def _is_own(record: logging.LogRecord) -> bool:
    """Tell whether this package logged it, or an exporter that works for it: on a thread of ours.

    An incident whose delivery fails must not make the next one.
    """
    name = str(record.name)
    return name == _OWN_LOGGER or name.startswith(f"{_OWN_LOGGER}.") or is_own_thread()


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…[+{len(text) - longest} characters]"


class _Levels(Protocol):
    """The settings that ask for log records: this source's, and the one of their trigger."""

    @property
    def log_level(self) -> str | None: ...

    @property
    def log_trigger_level(self) -> str | None: ...


def _build(settings: _Levels, surroundings: Surroundings) -> LogRecords | None:
    named = (settings.log_level, settings.log_trigger_level)
    levels = [int(logging.getLevelName(level)) for level in named if level is not None]
    return LogRecords(min(levels), surroundings) if levels else None


SOURCE: Final = SourceDescription(
    name=source_names.LOGS,
    settings=LogSettings,
    build=_build,
    lane="logs",
    docs="explanation/runtime-events.md",
)
