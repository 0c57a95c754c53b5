"""Keeps a long piece of work off the application's back: its processor time and its GIL.

What does not work: encoding a whole chunk at a stretch (an application thread that wants the GIL
back waits 5 ms, the interpreter's switch interval, each time); `time.sleep(0)` in between (the GIL
is taken again before the waiting thread has woken up). So the work is cut into pieces below half a
millisecond, and between two of them this thread really sleeps, just long enough for another one to
wake. What its share of a processor demands beyond that is slept in longer pauses: after each one
the processor's caches are cold, and many of them double the work.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar, overload

from opentelemetry.sdk.trace import ReadableSpan
from typing_extensions import Self

from otel_flight.clock import SYSTEM_CLOCK, Clock

HOLD_NS: Final = 400_000
"""How long the work goes on before it lets others run."""
SHORTEST_REST_SECONDS: Final = 50e-6
PAUSE_NS: Final = 10_000_000
"""So much must be owed before it is slept off."""
_LONGEST_REST_SECONDS: Final = 0.5
_MOST_CREDIT_NS: Final = 20_000_000
"""Waiting for an answer saves up processor time; no more than this may be spent in one go."""

_T = TypeVar("_T")
_S = TypeVar("_S")


class Pacer:
    """Rests now and then, so that this thread takes at most a share of one processor.

    For one thread at a time. Between `begin` and the end of the work, call `breathe` after every
    item; it costs a tenth of a microsecond when no rest is due.

    Args:
        share: of one processor, above 0; 1 is all of it, with rests only to let others run.
        clock: to measure pieces of work by.
        thread_time_ns: tells the processor time of the calling thread.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        share: float,
        *,
        clock: Clock = SYSTEM_CLOCK,
        thread_time_ns: Callable[[], int] = time.thread_time_ns,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._share = share
        self._monotonic_ns = clock.monotonic_ns
        self._thread_time_ns = thread_time_ns
        self._sleep = sleep
        self.begin()

    def begin(self) -> None:
        """Forget what was used and saved up so far; now on this thread."""
        self._hold_until_ns = self._monotonic_ns() + HOLD_NS
        self._started_ns = self._monotonic_ns()
        self._used_from_ns = self._thread_time_ns()

    def hurry(self) -> None:
        """Take all of a processor from now on, still letting others run. Any thread."""
        self._share = 1.0

    def breathe(self) -> None:
        """Rest if the work has gone on long enough."""
        if self._monotonic_ns() >= self._hold_until_ns:
            self.rest()

    def rest(self) -> None:
        """Let other threads run, for as long as the share demands."""
        now_ns = self._monotonic_ns()
        used_ns = self._thread_time_ns() - self._used_from_ns
        owed_ns = used_ns / self._share - (now_ns - self._started_ns)
        if owed_ns < -_MOST_CREDIT_NS:
            self._started_ns -= int(owed_ns + _MOST_CREDIT_NS)
        is_due = owed_ns >= PAUSE_NS
        self._sleep(min(owed_ns / 1e9, _LONGEST_REST_SECONDS) if is_due else SHORTEST_REST_SECONDS)
        self._hold_until_ns = self._monotonic_ns() + HOLD_NS

    def over(self, items: Sequence[_T]) -> Iterator[_T]:
        """Yield the items, breathing after each."""
        for item in items:
            yield item
            self.breathe()


class Paced(Sequence[_S]):
    """What one request carries, each item built when it is asked for and forgotten afterwards.

    The official exporters encode by iterating, once for every attempt: that is where this thread
    rests. Never more than one built object is alive, so that the encoding of a full window does not
    trigger full garbage collections in the host.

    Args:
        build: makes what an item stands for; None: it cannot be built, and is left out.
        items: what is iterated over, in order.
        pacer: rests between them.
    """

    def __init__(self, build: Callable[[_T], _S | None], items: Sequence[_T], pacer: Pacer) -> None:
        self._build: Callable[[Any], _S | None] = build
        self._items: Sequence[Any] = items
        self._pacer = pacer

    def part(self, start: int, stop: int) -> Self:
        """Return the chunk of the items from `start` up to `stop`."""
        part = copy.copy(self)
        part._items = self._items[start:stop]
        return part

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[_S]:
        for item in self._rested_items():
            built = self._build(item)
            if built is not None:
                yield built

    def _rested_items(self) -> Iterator[Any]:
        yield from self._pacer.over(self._items)
        # What comes next, putting the request together, is one long piece: start it rested.
        self._pacer.rest()

    @overload
    def __getitem__(self, index: int) -> _S: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[_S]: ...

    def __getitem__(self, index: int | slice) -> _S | Sequence[_S]:
        return list(self)[index]


class PacedSpans(Paced[ReadableSpan]):
    """The spans of one chunk.

    Args:
        build: makes the span an item stands for; None: it cannot be built, and is left out.
        items: what is iterated over, in order.
        pacer: rests between the spans.
        encode: makes the request, as bytes, of the items and an official encoder.
    """

    def __init__(
        self,
        build: Callable[[_T], ReadableSpan | None],
        items: Sequence[_T],
        pacer: Pacer,
        encode: Callable[[Iterable[_T], Callable[..., Any]], bytes] | None = None,
    ) -> None:
        super().__init__(build, items, pacer)
        self._encode: Callable[[Iterable[Any], Callable[..., Any]], bytes] | None = encode

    def encoded(self, official: Callable[[Sequence[ReadableSpan]], Any]) -> bytes | None:
        """Return the export request with these spans; None: that is for the official encoder."""
        return None if self._encode is None else self._encode(self._rested_items(), official)

    def rest(self) -> None:
        """Let other threads run now."""
        self._pacer.rest()
