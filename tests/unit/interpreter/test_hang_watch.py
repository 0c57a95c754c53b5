"""The thread in C that watches over the recorder's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.interpreter import hang_watch
from otel_flight.interpreter.hang_watch import CAN_WATCH

native = pytest.importorskip("otel_flight.interpreter._hang_watch")
pytestmark = pytest.mark.skipif(not CAN_WATCH, reason="only C can write stacks without the GIL")
MAPS = Path("/proc/self/maps")
ROUNDS = 400
"""So many times each thread pauses it: half as many stacks of threads are left where they mix up
which of them is whose."""


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[None]:
    """Let there be one."""
    with (tmp_path / "stacks").open("wb") as file:
        number = hang_watch.start(file, 60.0)
        yield
        hang_watch.stop(number)


@pytest.mark.usefixtures("watched")
def test_threads_that_fork_at_once_end_each_thread_once() -> None:
    """Each fork pauses it; one that two ended would be the memory of another thread by then."""
    before = len(MAPS.read_text().splitlines())
    forking = [threading.Thread(target=pause_often) for _ in range(3)]

    for thread in forking:
        thread.start()
    while any(thread.is_alive() for thread in forking):
        others = [threading.Thread(target=threading.get_ident) for _ in range(3)]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join()

    assert len(MAPS.read_text().splitlines()) < before + ROUNDS / 10
    native.resume()
    assert native.pause()
    assert not native.pause()


def pause_often() -> None:
    """Do what is done around a fork."""
    for _ in range(ROUNDS):
        native.pause()
        native.resume()
