"""Exceptions that are raised within requests, and where they are caught: swallowed ones as well.

`sys.monitoring`, from Python 3.12 on, calls back for each frame that an exception goes through and
for each handler that it comes to, anywhere in the process, finalizers within our own code included.
So the callbacks leave numbers and names in bounded tables for the ticker; nothing is kept alive.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, Final

from otel_flight.ground.clock import ClockPair, monotonic_ns
from otel_flight.ground.native import get_ident
from otel_flight.interpreter.code.places import Place
from otel_flight.interpreter.current_ids import current_ids
from otel_flight.interpreter.recursion import IS_GUARDED, guarded
from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings, halves, places_of
from otel_flight.sources.hooks.exception_facts import message_of, place_attributes, type_name
from otel_flight.sources.hooks.lane_share import LaneShare

MOST_WAITING: Final = 256
_MOST_THREADS: Final = 1024
_MOST_PLACES: Final = 16
_RECORD_BYTES: Final = 400
_AT_ONCE: Final = 0.1
_IN_WINDOW: Final = 0.15
_TOOL_IDS: Final = (4, 3)
"""These are not set apart for debuggers, coverage, profilers and optimizers."""
_OUR_DIRECTORY: Final = str(Path(__file__).parent.parent)
_FLOW: Final = (
    StopIteration,
    StopAsyncIteration,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
    asyncio.CancelledError,
)
"""Iterations end and work is stopped by these: nothing is wrong."""

_logger = logging.getLogger("otel_flight")
_monitoring: Final[Any] = getattr(sys, "monitoring", None)
_warned: set[str] = set()


class _Raised:
    """An exception that was raised in a span, once or more often at the same place."""

    __slots__ = ("caught", "error", "ids", "message", "places", "raised_ns", "thread_id", "times")

    def __init__(
        self, error: BaseException, ids: tuple[int, int], places: tuple[Place, ...]
    ) -> None:
        self.raised_ns = monotonic_ns()
        self.thread_id = get_ident()
        self.ids = ids
        self.error = type_name(type(error))
        self.message = message_of(error, runs_code=False)
        self.places = places
        self.caught: Place | None = None
        self.times = 1


@dataclass(frozen=True, kw_only=True)
class RaisedExceptionSettings(SettingsGroup):
    """Whether handled exceptions are recorded."""

    raised_exceptions: bool = setting_field("RAISED_EXCEPTIONS", False, kinds.flag())
    """Whether exceptions that are raised and caught within requests are recorded too. From Python
    3.12 on, with the C extensions."""


class RaisedExceptions:
    """Record exceptions raised while a span is current, each place once a tick and span."""

    name = source_names.RAISED_EXCEPTIONS

    def __init__(self, surroundings: Surroundings) -> None:
        self._events = surroundings.events
        self._guard = surroundings.guard
        self._clock = surroundings.clock
        self._share = LaneShare(
            surroundings.settings,
            at_once=_AT_ONCE,
            in_window=_IN_WINDOW,
            now_ns=surroundings.clock.monotonic_ns(),
        )
        self._tool_id: int | None = None
        # What was raised since the last tick, and between that and the one before: by then it has
        # been caught, if it is to be.
        self._fresh: dict[tuple[int, int, int], _Raised] = {}
        self._settled: dict[tuple[int, int, int], _Raised] = {}
        self._in_flight: dict[int, tuple[int, _Raised]] = {}

    def start(self) -> None:
        """Call back from now on; where that cannot be done, or not safely, warn once instead."""
        if _monitoring is None:
            _warn("they need Python 3.12 or newer")
            return
        if not IS_GUARDED:
            _warn("they need its C extension, without which they fail at the recursion limit")
            return
        for tool_id in _TOOL_IDS:
            if _monitoring.get_tool(tool_id) is None:
                _monitoring.use_tool_id(tool_id, "otel-flight")
                self._listen(tool_id)
                return
        _warn("other tools have taken the tool ids 3 and 4 of sys.monitoring")

    def stop(self) -> None:
        """Call back no more, and give the tool id back."""
        tool_id, self._tool_id = self._tool_id, None
        if tool_id is None:
            return
        _monitoring.set_events(tool_id, 0)
        for event in _callbacks(self):
            _monitoring.register_callback(tool_id, event, None)
        _monitoring.free_tool_id(tool_id)

    def tick(self) -> None:
        """Record what was raised before the last tick: newer ones may still propagate."""
        self.settle()

    def settle(self) -> None:
        """Record what was raised before the last time; after the end, all of it."""
        settled, self._settled, self._fresh = self._settled, self._fresh, {}
        if self._tool_id is None:
            settled, self._settled = {**settled, **self._settled}, {}
        if len(self._in_flight) > _MOST_THREADS:
            self._in_flight = {}
        now = ClockPair.now(self._clock)
        self._share.give(now.monotonic_ns)
        for raised in settled.values():
            self._events.record(self._event(raised, now), raised.places)

    def _listen(self, tool_id: int) -> None:
        self._tool_id = tool_id
        callbacks = _callbacks(self)
        for event, callback in callbacks.items():
            _monitoring.register_callback(tool_id, event, callback)
        _monitoring.set_events(tool_id, sum(callbacks))

    def _raising(self, code: CodeType, offset: int, error: BaseException) -> None:
        try:
            traceback = error.__traceback__
            # Longer in each frame that it comes through after the first.
            if traceback is None or traceback.tb_next is not None:
                return
            # The one before may be gone, and its id be this one's now.
            self._in_flight.pop(get_ident(), None)
            if isinstance(error, _FLOW) or code.co_filename.startswith(_OUR_DIRECTORY):
                return
            ids = current_ids()
            if ids[1]:
                self._note(code, traceback.tb_lineno, error, ids)
        except Exception as failure:  # noqa: BLE001
            self._guard.note(self.name, failure)

    def _note(self, code: CodeType, line: int, error: BaseException, ids: tuple[int, int]) -> None:
        key = ids[1], id(code), line
        raised = self._fresh.get(key)
        if raised is not None:
            raised.times += 1
            raised.caught = None
        elif len(self._fresh) < MOST_WAITING and self._share.has_room():
            self._share.take(_RECORD_BYTES)
            places = places_of(sys._getframe(2), _MOST_PLACES)
            raised = self._fresh[key] = _Raised(error, ids, places)
        else:
            return
        self._in_flight[get_ident()] = id(error), raised

    def _handling(self, code: CodeType, offset: int, error: BaseException) -> None:
        in_flight = self._in_flight.get(get_ident())
        if in_flight is not None and in_flight[0] == id(error):
            traceback = error.__traceback__
            in_flight[1].caught = code, traceback.tb_lineno if traceback is not None else 0

    def _raising_again(self, code: CodeType, offset: int, error: BaseException) -> None:
        """Called where what looked like a handler was a `finally`, or one for something else."""
        in_flight = self._in_flight.get(get_ident())
        if in_flight is not None and in_flight[0] == id(error):
            in_flight[1].caught = None

    def _event(self, raised: _Raised, now: ClockPair) -> RuntimeEvent:
        trace_id, span_id = raised.ids
        attributes: dict[str, Any] = {
            names.TYPE: raised.error,
            names.MESSAGE: raised.message,
            **place_attributes(list(raised.places)),
            names.CAUGHT: raised.caught is not None,
        }
        if raised.caught is not None:
            caught = place_attributes([raised.caught])
            where = f"{caught['code.file.path']}:{caught['code.line.number']}"
            attributes[names.CAUGHT_IN] = f"{caught['code.function.name']} ({where})"
        if raised.times > 1:
            attributes[names.TIMES] = raised.times
        wall_ns = now.to_wall_ns(raised.raised_ns)
        return RuntimeEvent(
            source_names.EXCEPTIONS,
            event_names.RAISED_EXCEPTION,
            wall_ns,
            wall_ns,
            raised.thread_id,
            *halves(trace_id),
            span_id,
            attributes,
        )


def _callbacks(source: RaisedExceptions) -> dict[int, Any]:
    events = _monitoring.events
    return {
        events.RAISE: guarded(source._raising),
        events.EXCEPTION_HANDLED: guarded(source._handling),
        events.RERAISE: guarded(source._raising_again),
    }


def _warn(why: str) -> None:
    if why not in _warned:
        _warned.add(why)
        _logger.warning("otel-flight does not record raised exceptions: %s.", why)


def _build(
    settings: RaisedExceptionSettings, surroundings: Surroundings
) -> RaisedExceptions | None:
    return RaisedExceptions(surroundings) if settings.raised_exceptions else None


SOURCE: Final = SourceDescription(
    name=source_names.RAISED_EXCEPTIONS,
    settings=RaisedExceptionSettings,
    build=_build,
    lane="",
    docs="explanation/runtime-events.md",
)
