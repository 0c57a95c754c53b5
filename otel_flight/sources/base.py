"""What a source is, and what it is given to write with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import ExceptHookArgs
from types import FrameType
from typing import Any, Final, Protocol, runtime_checkable

from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.ground.guard import Guard
from otel_flight.interpreter.code.places import Place
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.recording.runtime_events import RuntimeEvents
from otel_flight.recording.tick_waits import TickWaits
from otel_flight.settings.declaration import SettingsGroup
from otel_flight.settings.fields import CoreSettings

MOST_PLACES: Final = 256
"""At most this many frames of a stack are read, from the innermost one on: recursion can go a
thousand deep."""


class Source(Protocol):
    """Sees one kind of thing happen in the process.

    What it installs in the process, a callback or a hook, follows the hot-path law: never raise,
    block, lock, log or do I/O there. Everything else belongs into `tick`.

    Attributes:
        name: what its events have as their source; also in error reports.
    """

    name: str

    def start(self) -> None:
        """Install what it needs, chaining what was there before. Any thread; once."""
        ...

    def stop(self) -> None:
        """Remove it again, unless someone has replaced it since. Idempotent; never blocks.

        It also runs in a forked child, where the locks of other threads are held for ever.
        """
        ...

    def tick(self) -> None:
        """Do what takes longer, on the ticker's thread; may raise, which is noted."""
        ...


class Deferring(Protocol):
    """A source whose callbacks leave something for the next tick: one that has this method."""

    def settle(self) -> None:
        """Record what is waiting; after `stop`, all of it. Reads no file and never waits.

        Part of each tick, and called once more at the end, on the thread that ends the run.
        """
        ...


@runtime_checkable
class UsesRing(Protocol):
    """A source that keeps something beside the ring's file."""

    def ring_made(self, path: Path) -> None:
        """Begin with it. Once, after `start`; never for a ring in memory alone."""
        ...


@runtime_checkable
class SeesThreadsFail(Protocol):
    """A source that records exceptions that end threads."""

    def thread_failed(self, arguments: ExceptHookArgs) -> None:
        """Record what `threading.excepthook` was called with. On the thread that ends."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A source that counts what it sees, for `statistics()`."""

    def counts(self) -> Mapping[str, int]:
        """Return totals since the start, by name. Any thread; never blocks."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """What a source is given.

    Attributes:
        settings: what does not belong to single sources.
        events: where it writes.
        open_spans: what is being served; read it only.
        guard: for callbacks that run on the application's threads.
        clock: a fake one in tests.
        waits: lets a source look at the ticker's waits.
    """

    settings: CoreSettings
    events: RuntimeEvents
    open_spans: OpenSpans
    guard: Guard
    clock: Clock = SYSTEM_CLOCK
    waits: TickWaits = field(default_factory=TickWaits)


@dataclass(frozen=True, kw_only=True)
class SourceDescription:
    """A source, as the assembly lists it.

    Attributes:
        name: what its events have as their source.
        settings: the group of settings that it reads besides `Surroundings.settings`.
        build: returns the source, or None where the settings turn it off.
        lane: the title of its lane in an incident's trace; empty: it has none.
        docs: its page in the documentation.
    """

    name: str
    settings: type[SettingsGroup]
    build: Callable[[Any, Surroundings], Source | None]
    lane: str
    docs: str


_FEW_OPEN_SPANS: Final = 500
"""With more open spans than these, samples alone do not keep the ticker at its full pace."""


class SourceSet(tuple[Source, ...]):
    """The sources of one run that are on. One that fails does not keep the others from theirs."""

    __slots__ = ()

    def start(self, guard: Guard) -> None:
        """Install what they need."""
        for source in self:
            with guard.swallow(f"start {source.name}"):
                source.start()

    def ring_made(self, path: Path | None, guard: Guard) -> None:
        """Tell those of them that use it where the ring's file is; None: it has none."""
        for source in self:
            if path is not None and isinstance(source, UsesRing):
                with guard.swallow(f"start {source.name}"):
                    source.ring_made(path)

    def stop(self, guard: Guard) -> None:
        """Remove it again."""
        for source in self:
            with guard.swallow(f"stop {source.name}"):
                source.stop()

    def tick(self, guard: Guard) -> None:
        """Let them do what takes longer. Ticker only."""
        for source in self:
            with guard.swallow(source.name):
                source.tick()

    def settle(self, guard: Guard) -> None:
        """Let those of them that are `Deferring` record what is waiting."""
        for source in self:
            settle = getattr(source, "settle", None)  # 5 µs less than asking the protocol
            if settle is not None:
                with guard.swallow(source.name):
                    settle()

    def thread_failed(self, arguments: ExceptHookArgs) -> None:
        """Show them the end of a thread, which none of them has seen."""
        for source in self:
            if isinstance(source, SeesThreadsFail):
                source.thread_failed(arguments)

    def samples(self, open_spans: int) -> int:
        """Return how often they have looked at what is slow, while few spans are open.

        With many, looking at them takes a while, and a slow ticker sees enough of it.
        """
        if open_spans > _FEW_OPEN_SPANS:
            return 0
        return sum(getattr(source, "samples", 0) for source in self)

    def counts(self) -> dict[str, Mapping[str, int]]:
        """Return what they count, by the source's name and the count's."""
        return {each.name: each.counts() for each in self if isinstance(each, Counting)}


def build_sources(
    descriptions: Iterable[SourceDescription], settings: SettingsGroup, surroundings: Surroundings
) -> SourceSet:
    """Return those of the sources that the settings turn on."""
    built = (each.build(settings, surroundings) for each in descriptions)
    return SourceSet(source for source in built if source is not None)


def halves(trace_id: int) -> tuple[int, int]:
    """Return a trace id as an event carries it: the upper and the lower 64 bits."""
    return trace_id >> 64, trace_id & (1 << 64) - 1


def places_of(frame: FrameType | None, most: int = MOST_PLACES) -> tuple[Place, ...]:
    """Return where a stack goes through, outermost first; keeps no frame alive.

    0.1 µs a frame. Never blocks; safe in a garbage collection.
    """
    places: list[Place] = []
    while frame is not None and len(places) < most:
        places.append((frame.f_code, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(reversed(places))
