"""Greenlets that take turns on a thread, as another thread sees them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from otel_flight.interpreter.concurrency.greenlets import (
    GreenletReference,
    current_greenlet_reference,
    is_running,
)
from tests.support.implementations.frame_readers import READERS

greenlet = pytest.importorskip("greenlet")


class Turns:
    """A thread in which one greenlet has switched away, and another one has its turn."""

    def __init__(self) -> None:
        self.references: list[GreenletReference | None] = []
        self._reached, self._goes_on = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._reached.wait(20)

    def _run(self) -> None:
        self.references.append(current_greenlet_reference())
        self.away, self.at_work = greenlet.greenlet(self._leave), greenlet.greenlet(self._work)
        self.away.switch()
        self.at_work.switch()
        self.away.switch()

    def _leave(self) -> None:
        self.references.append(current_greenlet_reference())

        def switch() -> None:
            sorted([1], key=lambda _: self.away.parent.switch())  # through a function of C

        switch()

    def _work(self) -> None:
        self._reached.set()
        self._goes_on.wait(20)

    def end(self) -> None:
        """Let both go on to their ends."""
        self._goes_on.set()
        self._thread.join(20)


@pytest.fixture
def turns() -> Iterator[Turns]:
    """A thread with greenlets."""
    turns = Turns()
    yield turns
    turns.end()


def test_one_of_a_thread_runs(turns: Turns) -> None:
    """The other one does not, nor does one that is gone."""
    assert is_running(turns.at_work)
    assert not is_running(turns.away)
    assert not is_running(None)


def test_where_a_thread_has_greenlets_each_is_known_by_itself(turns: Turns) -> None:
    """But not the one that the thread began with; and it is not kept alive."""
    assert turns.references[0] is None
    reference = turns.references[1]
    assert reference is not None
    assert reference() is turns.away
    turns.end()
    del turns.away
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("reader", READERS)
def test_one_that_has_switched_away_has_a_stack(reader: Any, turns: Turns) -> None:
    """It goes on below functions that are not in Python, and is that of its own calls alone."""
    stack = reader.suspended(turns.away, 100)
    names = [frame.code.co_name for frame in stack]
    innermost = [frame.code.co_name for frame in reader.suspended(turns.away, 1)]

    assert names == ["_leave", "switch", "<lambda>"]
    assert innermost == ["<lambda>"]
    assert all(frame.line for frame in stack)
    assert reader.suspended(turns.at_work, 100) == ()
