"""Exceptions that nobody handled: what ends the process, a thread, a task, or a finalizer early.

Loops are not touched. Their default handler, asyncio's as well as uvloop's, logs an error with the
exception to the logger `asyncio`, for a task that failed and was never awaited too; a handler that
the application has set decides for itself what is an error. So that record is looked for.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import get_ident
from types import FunctionType, TracebackType
from typing import Any, Final

from otel_flight.ground.clock import ClockPair
from otel_flight.interpreter.code.places import Place
from otel_flight.interpreter.current_ids import current_ids
from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings, halves
from otel_flight.sources.hooks.chained_hook import ChainedHook
from otel_flight.sources.hooks.exception_facts import (
    exception_attributes,
    place_attributes,
    traceback_places,
)
from otel_flight.sources.hooks.log_tap import LOG_TAP, message_of
from otel_flight.sources.hooks.main_failure import has_ended_main, reported_error

MOST_WAITING: Final = 64
"""At most this many exceptions of finalizers wait for the ticker; more are counted and lost."""
_MAIN_THREAD: Final = "MainThread"
_OF_THREADS: Final = "Exception ignored in thread started by"
_LONGEST_TEXT: Final = 256
_NO_ERRORS: Final = (KeyboardInterrupt, SystemExit)
"""These ask a thread or the process to end: nothing is wrong."""


@dataclass(frozen=True, kw_only=True)
class ExceptionSettings(SettingsGroup):
    """Whether unhandled exceptions are recorded."""

    exceptions: bool = setting_field("EXCEPTIONS", True, kinds.flag())
    """Whether unhandled exceptions are recorded: those of the main thread, of other threads, of
    asyncio, of finalizers."""


class UnhandledExceptions:
    """Record each, on the thread that it ended; the hooks that were there before are called too."""

    name = source_names.EXCEPTIONS

    def __init__(self, surroundings: Surroundings) -> None:
        self._events = surroundings.events
        self._guard = surroundings.guard
        self._clock = surroundings.clock
        self._reported: BaseException | None = None
        self._thread = ChainedHook(threading, "excepthook", threading.__excepthook__)
        self._finalizer = ChainedHook(sys, "unraisablehook", sys.__unraisablehook__)
        self._waiting: deque[tuple[RuntimeEvent, list[Place]]] = deque()
        self._unhandled = self._unraisable = self._dropped = 0

    def start(self) -> None:
        """Install the hooks."""
        self._thread.add(self.thread_failed)
        self._finalizer.add(self._finalizer_failed)
        LOG_TAP.add(self._logged)

    def stop(self) -> None:
        """Remove them again."""
        self._thread.remove(self.thread_failed)
        self._finalizer.remove(self._finalizer_failed)
        LOG_TAP.remove(self._logged)

    def tick(self) -> None:
        """Record what finalizers raised since the last tick, and what ended the main program."""
        self.settle()

    def settle(self) -> None:
        """Record what finalizers raised, and what ended the main program."""
        error = reported_error()
        if error is not self._reported:
            self._reported = error
            if error is not None and has_ended_main(error):
                self._failed(error, error.__traceback__, names.MAIN_THREAD, _MAIN_THREAD)
        if not self._waiting:
            return
        now = ClockPair.now(self._clock)
        while self._waiting:
            event, places = self._waiting.popleft()
            event.start_ns = event.end_ns = now.to_wall_ns(event.start_ns)
            self._events.record(event, places)

    def counts(self) -> Mapping[str, int]:
        """Return how many exceptions there were, and how many of finalizers came too fast."""
        return {
            "unhandled": self._unhandled,
            "unraisable": self._unraisable,
            "dropped": self._dropped,
        }

    def thread_failed(self, arguments: threading.ExceptHookArgs) -> None:
        """Record what ended a thread."""
        thread = arguments.thread
        where = thread.name if thread is not None else ""
        self._failed(arguments.exc_value, arguments.exc_traceback, names.THREAD, where)

    def _logged(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        if record.levelno < logging.ERROR or record.name != "asyncio" or not record.exc_info:
            return
        error = record.exc_info[1]
        if isinstance(error, BaseException):
            where = message_of(record).partition("\n")[0]
            self._failed(error, error.__traceback__, names.TASK, where)

    def _failed(
        self,
        error: BaseException | None,
        traceback: TracebackType | None,
        ended: str,
        where: str,
    ) -> None:
        if error is None or isinstance(error, _NO_ERRORS):
            return
        try:
            places = traceback_places(traceback)
            attributes = {
                names.ENDED: ended,
                names.WHERE: where[:_LONGEST_TEXT],
                **exception_attributes(error),
                **place_attributes(places),
            }
            self._unhandled += 1
            event = self._event(event_names.UNHANDLED_EXCEPTION, self._clock.wall_ns(), attributes)
            if ended == names.MAIN_THREAD:
                event.thread_id = threading.main_thread().ident or 0
            self._events.record(event, places)
        except Exception as failure:  # noqa: BLE001
            self._guard.note(self.name, failure)

    def _finalizer_failed(self, arguments: sys.UnraisableHookArgs) -> None:
        """Called wherever a finalizer runs, garbage collections within our own code included."""
        error = arguments.exc_value
        if error is None or isinstance(error, _NO_ERRORS):
            return
        try:
            if len(self._waiting) >= MOST_WAITING:
                self._dropped += 1
                return
            # A thread that was started without `threading` has no other hook.
            is_thread = (arguments.err_msg or "").startswith(_OF_THREADS)
            places = traceback_places(arguments.exc_traceback)
            attributes = {
                names.ENDED: names.THREAD if is_thread else names.FINALIZER,
                names.WHERE: _name_of(arguments.object, arguments.exc_traceback),
                **exception_attributes(error, runs_code=False),
                **place_attributes(places),
            }
            self._unhandled += is_thread
            self._unraisable += not is_thread
            name = (
                event_names.UNHANDLED_EXCEPTION if is_thread else event_names.UNRAISABLE_EXCEPTION
            )
            event = self._event(name, self._clock.monotonic_ns(), attributes)
            self._waiting.append((event, places))
        except Exception as failure:  # noqa: BLE001
            self._guard.note(self.name, failure)

    def _event(self, name: str, time_ns: int, attributes: dict[str, Any]) -> RuntimeEvent:
        trace_id, span_id = current_ids()
        return RuntimeEvent(
            self.name,
            name,
            time_ns,
            time_ns,
            get_ident(),
            *halves(trace_id),
            span_id,
            attributes,
        )


def _name_of(thing: object, traceback: TracebackType | None) -> str:
    """Return what to call an object whose finalizer failed: it may be half gone already.

    From Python 3.14 on the function is given in a text alone, and its own call tells its name.
    """
    if thing is None:
        code = traceback.tb_frame.f_code if traceback is not None else None
        return str(getattr(code, "co_qualname", ""))[:_LONGEST_TEXT]
    if isinstance(thing, FunctionType):
        return thing.__qualname__[:_LONGEST_TEXT]
    return type(thing).__qualname__[:_LONGEST_TEXT]


def _build(settings: ExceptionSettings, surroundings: Surroundings) -> UnhandledExceptions | None:
    return UnhandledExceptions(surroundings) if settings.exceptions else None


SOURCE: Final = SourceDescription(
    name=source_names.EXCEPTIONS,
    settings=ExceptionSettings,
    build=_build,
    lane="exceptions",
    docs="explanation/runtime-events.md",
)
