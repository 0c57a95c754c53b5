"""Keeps our failures out of the host: swallow, count, remember the first, report it once.

A hot entry (a span hook, a garbage-collection callback, a signal handler) guards itself inline,
which costs nothing until something fails, and ``report()`` is called later by the ticker; other
entries use ``with guard.swallow(place):``.
"""

from __future__ import annotations

import logging
from contextlib import ContextDecorator
from dataclasses import dataclass
from traceback import walk_tb
from types import TracebackType

from otel_flight.ground.signal_errors import is_raised_by_signal_handler, pass_on

__all__ = ["Guard", "NotedError"]

_logger = logging.getLogger("otel_flight")

_MOST_PLACES = 64
_LONGEST_MESSAGE = 300
_PLAIN_TYPES = (str, bytes, int, float, bool, type(None))


@dataclass(frozen=True)
class NotedError:
    """What went wrong at one place.

    Attributes:
        place: The guarded entry, such as ``"on_end"``.
        count: How many errors were swallowed there.
        error: The first error's type, with its module.
        message: The first error's message, cut.
        where: ``file:line in function`` where the first error was raised.
    """

    place: str
    count: int
    error: str
    message: str
    where: str


class Guard:
    """Swallows what goes wrong at our entries, and remembers enough to say so once.

    ``note`` takes no lock, logs nothing, runs no code of the host and keeps no exception or
    traceback alive (those hold the host's frames and everything in them). It can be called from any
    thread, from signal handlers, and from within garbage collection, also when one of these
    interrupts another call of it. The pattern for a hot entry::

        try:
            ...
        except Exception as error:
            guard.note("on_end", error)

    What is swallowed and what is not:

    - ``Exception`` is, ``MemoryError`` and ``RecursionError`` included: an application whose memory
      or stack ran out within our hook should meet the error in its own code, or not at all.
    - ``KeyboardInterrupt``, ``SystemExit``, ``asyncio.CancelledError``, ``GeneratorExit`` are not:
      they are requests to stop, made by someone else, that only happen to arrive while our code
      runs.
    - Nor is any exception raised by a signal handler of the host for the same reason. Celery's soft
      time limit and RQ's job timeout are plain ``Exception``s thrown from such a handler;
      swallowing one would let the job run on for ever. ``note`` recognises the handler in the
      traceback and raises the exception again.
    - Not recognisable, hence swallowed: an ``Exception`` injected with
      ``PyThreadState_SetAsyncExc``.

    A host that is within a handful of frames of the recursion limit can still get a
    ``RecursionError`` out of a guarded hook, because calling ``note`` needs frames too; so it would
    from any other call it makes there.
    """

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    def note(self, place: str, error: BaseException) -> None:
        """Count an error and remember it if it is the first at this place.

        Raises:
            BaseException: ``error`` itself, when it is not ours to swallow; see the class.
        """
        if not self._swallowed(place, error):
            raise error

    def swallow(self, place: str) -> _Swallow:
        """Return a guard for a block or a function: errors inside are noted and go no further.

        Costs a call or two even when nothing fails, so not for hot entries. As a decorator, the
        function returns None when it fails: only for functions whose result is None. Not for
        coroutine functions.
        """
        return _Swallow(self, place)

    def errors(self) -> tuple[NotedError, ...]:
        """Return what was noted so far, in the order the places first failed."""
        return tuple(
            NotedError(entry.name, entry.count, entry.error, entry.message, entry.where)
            for entry in tuple(self._places.values())
        )

    def report(self) -> None:
        """Log one warning for each place that has failed and was not reported before.

        Call it from the ticker: logging handlers take locks and do I/O. Never raises.
        """
        for entry in tuple(self._places.values()):
            if entry.is_reported:
                continue
            entry.is_reported = True
            with self.swallow("report"):
                _logger.warning(
                    "otel-flight failed in %s, which the application does not notice but the "
                    "recording may: %s: %s (%s); %d so far, from here on they are only counted",
                    entry.name,
                    entry.error,
                    entry.message,
                    entry.where,
                    entry.count,
                )

    def _swallowed(self, place: str, error: BaseException) -> bool:
        if not isinstance(error, Exception):
            return False
        try:
            if is_raised_by_signal_handler(error):
                return False
            entry = self._places.get(place) or self._first(place, error)
            # Not atomic by promise, but in fact: CPython 3.10 to 3.13 switch threads and run signal
            # handlers and garbage collection only at calls and backward jumps. Elsewhere a count
            # could come out too low.
            entry.count += 1
        except Exception as failure:  # noqa: BLE001
            # Out of memory or stack even for this, there is nobody left to tell.
            if not isinstance(failure, (MemoryError, RecursionError)):
                pass_on(failure)
        return True

    def _first(self, place: str, error: Exception) -> _Place:
        name = place if len(self._places) < _MOST_PLACES else "(other places)"
        return self._places.setdefault(name, _Place(name, error))


class _Place:
    """What is known about one place; strings and numbers only, so that no frame is kept alive."""

    __slots__ = ("count", "error", "is_reported", "message", "name", "where")

    def __init__(self, name: str, error: Exception) -> None:
        self.name = name
        self.count = 0
        self.is_reported = False
        self.error = f"{type(error).__module__}.{type(error).__qualname__}"
        self.message = _message(error)
        self.where = _where(error.__traceback__)


class _Swallow(ContextDecorator):
    """The block form of a guard; reusable and reentrant, as it has no state of its own."""

    def __init__(self, guard: Guard, place: str) -> None:
        self._guard = guard
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return error is not None and self._guard._swallowed(self._place, error)


def _message(error: Exception) -> str:
    """Return the error's arguments as text.

    Not ``str(error)``: that runs ``__str__`` and ``__repr__`` of the host's classes, which may take
    locks, and we may be inside a garbage collection or a signal handler.
    """
    parts = (
        str(argument) if type(argument) in _PLAIN_TYPES else f"<{type(argument).__name__}>"
        for argument in error.args[:5]
    )
    return ", ".join(parts)[:_LONGEST_MESSAGE]


def _where(traceback: TracebackType | None) -> str:
    where = "never raised"
    for frame, line in walk_tb(traceback):
        where = f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
    return where
