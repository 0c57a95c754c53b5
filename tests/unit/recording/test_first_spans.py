"""The notes of what spans did before there was a session."""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from typing import Any

import pytest

from otel_flight.recording import first_spans
from otel_flight.recording.first_spans import LONGEST_REPLAY_NS, MOST_NOTES, FirstSpans

Seen = list[tuple[str, Any]]


class Replayer:
    """Sees what is replayed, in its order."""

    def __init__(self) -> None:
        self.seen: Seen = []
        self.threads: list[int] = []
        self.tasks: list[Any] = []
        self.moments: list[int] = []

    def start_again(self, span: Any, thread_id: int, task: Any, started_ns: int) -> None:
        """See a start."""
        self.moments.append(started_ns)
        self.seen.append(("start", span))
        self.threads.append(thread_id)
        self.tasks.append(task and task())

    def end_again(self, span: Any, ended_ns: int) -> None:
        """See an end."""
        self.moments.append(ended_ns)
        self.seen.append(("end", span))

    def count_anew(self) -> None:
        """See that the beginning held up what is open."""
        self.seen.append(("held up", None))

    def forget_ended(self) -> None:
        """See nothing."""


@pytest.fixture
def replayer() -> Replayer:
    """What notes are replayed to."""
    return Replayer()


def test_the_first_start_lets_it_begin_once() -> None:
    """Also when spans of other threads start meanwhile, or within the call itself."""
    begun: list[int] = []

    def begin() -> None:
        begun.append(1)
        spans.started("within")

    spans = FirstSpans(begin)
    spans.ended("before")
    assert begun == []
    spans.started("one")
    spans.started("two")

    assert begun == [1]


def test_everything_is_replayed_in_its_order(replayer: Replayer) -> None:
    """When and on which thread it happened; what is noted until all may record is replayed, too."""
    spans = FirstSpans(lambda: None, iter(range(4)).__next__)
    spans.started("one")
    other = threading.Thread(target=spans.started, args=["two"])
    other.start()
    other.join()
    spans.ended("one")

    spans.replay(replayer, lambda: spans.ended("two"))

    assert replayer.seen == [("start", "one"), ("start", "two"), ("end", "one"), ("end", "two")]
    assert replayer.moments == [0, 1, 2, 3]
    assert replayer.threads == [threading.get_ident(), other.ident]
    assert not spans


def test_what_was_held_up_counts_from_then_on(replayer: Replayer) -> None:
    """Where recording begins on the thread of the first span, as beside greenlets."""
    spans = FirstSpans(lambda: spans.replay(replayer, lambda: None))

    spans.started("one")
    spans.started("two")

    assert replayer.seen == [("start", "one"), ("held up", None)]


def test_a_late_note_is_replayed_by_the_ticker(replayer: Replayer) -> None:
    """A thread may have seen that there is no session, and be late with its note."""
    spans = FirstSpans(lambda: None)
    spans.replay(replayer, lambda: None)
    spans.started("late")
    assert replayer.seen == []

    spans.replay_late()

    assert replayer.seen == [("start", "late")]


def test_there_are_ticks_in_between_when_it_takes_long(
    replayer: Replayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are replayed in their order; nothing waits for that which can go on."""
    spans = FirstSpans(lambda: None)
    for number in range(10):
        spans.ended(number)
    monkeypatch.setattr(first_spans, "monotonic_ns", count(step=LONGEST_REPLAY_NS // 2).__next__)

    spans.replay(replayer, lambda: replayer.seen.append(("end", "others record")))
    at_first = len(replayer.seen)
    for _ in range(10):
        spans.replay_late()

    assert at_first < 10
    replayed = [span for _, span in replayer.seen if span != "others record"]
    assert replayed == list(range(10))
    assert not spans


def test_of_too_many_the_oldest_are_dropped_and_counted(replayer: Replayer) -> None:
    """What an application leaves here is bounded."""
    spans = FirstSpans(lambda: None)
    for number in range(MOST_NOTES + 3):
        spans.ended(number)

    spans.replay(replayer, lambda: None)

    assert spans.dropped == 3
    assert [span for _, span in replayer.seen] == list(range(3, MOST_NOTES + 3))


def test_the_task_is_known_in_which_a_span_started(replayer: Replayer) -> None:
    """And none outside of a loop."""
    spans = FirstSpans(lambda: None)

    async def serve() -> None:
        spans.started("served")
        spans.replay(replayer, lambda: None)
        assert replayer.tasks == [None, asyncio.current_task()]

    spans.started("before")
    asyncio.run(serve())


def test_what_is_cleared_begins_anew(replayer: Replayer) -> None:
    """After a stop, or in a forked child, whose parent's notes are not its own."""
    begun: list[int] = []
    spans = FirstSpans(lambda: begun.append(1))
    spans.started("one")
    spans.clear()
    spans.replay_late()
    spans.started("two")
    spans._pid += 1
    spans.clear_in_child()
    spans.started("three")

    spans.replay(replayer, lambda: None)

    assert replayer.seen == [("start", "three")]
    assert begun == [1, 1, 1]
