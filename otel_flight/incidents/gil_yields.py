"""Passes over a whole window, in pieces, so that the process they run in goes on with its work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from otel_flight.native import sleep

_T = TypeVar("_T")

YieldGil = Callable[[], None]
"""It gives up the GIL, so that a thread that waits for it can take it."""

_RECORDS_BETWEEN_YIELDS: Final = 64
"""The GIL is given up after this many records: decoding one takes some microseconds."""


def yield_gil() -> None:
    """Sleep long enough for a thread that waits for the GIL to wake up and take it."""
    sleep(50e-6)


def keep_gil() -> None:
    """Do nothing: no other thread waits for the GIL, or none that matters."""


def with_yields(records: Iterable[_T], give_up: YieldGil) -> Iterator[_T]:
    """Yield records as they come, and give up the GIL every few dozen of them."""
    for number, record in enumerate(records):
        if number % _RECORDS_BETWEEN_YIELDS == 0:
            give_up()
        yield record
