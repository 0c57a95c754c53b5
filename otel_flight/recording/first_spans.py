"""What spans did before there was a session to record them into: it is noted, and replayed then.

To begin takes some tenths of a second, on a thread of its own. Meanwhile, the application's threads
leave notes here and go on. None of them ever waits in here or replays.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from os import getpid
from typing import Any, Final, Protocol
from weakref import ref

from opentelemetry.trace import StatusCode

from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.native import allocate_lock, get_ident

MOST_NOTES: Final = 4096
"""At most this many starts and ends of spans are noted; of more, the oldest are dropped and
counted."""
LONGEST_REPLAY_NS: Final = 500_000_000
"""Notes are replayed for so many nanoseconds at a time: of spans with long texts, thousands take
half a minute, in which nothing else would begin."""


class Replayed(Protocol):
    """What notes are replayed to: a span processor that records."""

    def start_again(
        self, span: Any, thread_id: int, task: ref[Any] | None, started_ns: int
    ) -> None:
        """Record a span that started then, on another thread, in a task."""
        ...

    def end_again(self, span: Any, ended_ns: int) -> None:
        """Record a span that ended then."""
        ...

    def count_anew(self) -> None:
        """Let the local roots that are open count from now on."""
        ...

    def forget_ended(self) -> None:
        """Take those spans for ended that ended while their start was replayed."""
        ...


class FirstSpans:
    """The notes of one recorder, for all its processors.

    Args:
        begin: called with the first start of a span, on the application's thread; must not wait.
        now_ns: the monotonic clock.

    Attributes:
        silent: ids of open local roots whose trace must not make an incident.
        dropped: how many notes were dropped, as there were too many.
    """

    def __init__(self, begin: Callable[[], None], now_ns: Callable[[], int] = monotonic_ns) -> None:
        self.silent: dict[int, None] = {}
        self.dropped = 0
        self._begin = begin
        self._now_ns = now_ns
        self._pid = getpid()
        self._notes: deque[tuple[Any, int, ref[Any] | None, int]] = deque(maxlen=MOST_NOTES)
        self._turn = allocate_lock()  # taken by the span that lets recording begin
        self._replayed: Replayed | None = None

    def __len__(self) -> int:
        return len(self._notes)

    def have_failed(self) -> bool:
        """Return whether a span failed of those that are noted."""
        ended = [span for span, thread_id, *_ in tuple(self._notes) if not thread_id]
        return any(span.status.status_code is StatusCode.ERROR for span in ended)

    def clear(self) -> None:
        """Forget all notes, and let the next start of a span begin the recording."""
        self._replayed = None
        self._pid = getpid()
        self._notes.clear()
        self.dropped = 0
        self.ask_again()

    def ask_again(self) -> None:
        """Let the next start of a span begin the recording."""
        self._turn = allocate_lock()

    def clear_in_child(self) -> None:
        """Do so in a forked child, once: what is noted is the parent's."""
        if self._pid != getpid():
            self.clear()

    def started(self, span: Any) -> None:
        """Note a span that started on this thread."""
        self.clear_in_child()
        self._note(span, get_ident(), _current_task())
        if self._turn.acquire(False):
            before = self._replayed
            self._begin()
            replayed = self._replayed
            if replayed is not None and replayed is not before:
                replayed.count_anew()  # it began on this thread, which held the span up

    def ended(self, span: Any) -> None:
        """Note a span that ended."""
        self._note(span, 0, None)

    def replay(self, replayed: Replayed, record: Callable[[], None]) -> None:
        """Replay all notes, in the order they were made.

        Args:
            replayed: what to replay them to.
            record: lets the processors record by themselves. It is called when nearly all are
                replayed: busy threads may leave more of them than one can replay.
        """
        self._replay(replayed)
        record()
        self._replayed = replayed
        self.replay_late()

    def replay_late(self) -> None:
        """Replay what there was no time for, and what threads noted as recording began."""
        replayed = self._replayed  # a run that ends meanwhile takes it away
        if self._notes and replayed is not None:
            self._replay(replayed)
            if not self._notes:
                replayed.forget_ended()

    def _note(self, span: Any, thread_id: int, task: ref[Any] | None) -> None:
        if len(self._notes) == MOST_NOTES:
            self.dropped += 1
        self._notes.append((span, thread_id, task, self._now_ns()))

    def _replay(self, replayed: Replayed) -> None:
        until_ns = monotonic_ns() + LONGEST_REPLAY_NS
        for _ in range(MOST_NOTES):
            if monotonic_ns() > until_ns:
                return
            try:
                span, thread_id, task, moment_ns = self._notes.popleft()
            except IndexError:  # that was all, or they were forgotten meanwhile
                return
            if thread_id:
                replayed.start_again(span, thread_id, task, moment_ns)
            else:
                replayed.end_again(span, moment_ns)


def _current_task() -> ref[Any] | None:
    """Return a reference to this thread's task; where asyncio is not imported, there is none."""
    asyncio: Any = sys.modules.get("asyncio")
    try:
        return ref(asyncio.current_task())
    except (AttributeError, RuntimeError, TypeError):  # no asyncio, no loop, or no task
        return None
