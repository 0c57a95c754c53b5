"""Passes over a whole window, in pieces, so that the process they run in goes on with its work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from otel_flight.ground.deadline import Deadline, OutOfTime
from otel_flight.ground.native import sleep

_T = TypeVar("_T")

YieldGil = Callable[[], None]
"""It gives up the GIL, so that a thread that waits for it can take it."""

_RECORDS_BETWEEN_YIELDS: Final = 64
"""The GIL is given up after this many records: decoding one takes some microseconds."""
_EXAMINING_SHARE: Final = 0.4
"""In a process that ends, this part of the time is for what can be left out: the findings."""
_COMPRESSING_SHARE: Final = 0.6
"""After this part of the time, what is written is not compressed any more."""


class GilYields:
    """Gives up the GIL between two pieces of work, as long as the process does not end.

    Then each time would cost as many switch intervals, of 5 ms, as there are threads at work.
    """

    def __init__(self) -> None:
        self._examined: Deadline | None = None
        self._compressed: Deadline | None = None

    @property
    def is_hurried(self) -> bool:
        """Whether the process ends, or the recorder does."""
        return self._compressed is not None

    def hurry(self, deadline: Deadline) -> None:
        """Give up nothing from now on: all is to be done by then. Any thread."""
        if self._compressed is None:
            self._examined = deadline.part(_EXAMINING_SHARE)
            self._compressed = deadline.part(_COMPRESSING_SHARE)

    def is_late(self) -> bool:
        """Return whether there is no time to compress anything."""
        return self._compressed is not None and self._compressed.has_passed

    def give_up(self) -> None:
        """Sleep long enough for a thread that waits for the GIL to wake up and take it."""
        if self._compressed is None:
            sleep(50e-6)

    def give_up_in_time(self) -> None:
        """Do so within work that can be left out.

        Raises:
            OutOfTime: it is to be left out.
        """
        self.give_up()
        if self._examined is not None and self._examined.has_passed:
            raise OutOfTime


def keep_gil() -> None:
    """Do nothing: no other thread waits for the GIL, or none that matters."""


def with_yields(records: Iterable[_T], give_up: YieldGil) -> Iterator[_T]:
    """Yield records as they come, and give up the GIL every few dozen of them."""
    for number, record in enumerate(records):
        if number % _RECORDS_BETWEEN_YIELDS == 0:
            give_up()
        yield record
