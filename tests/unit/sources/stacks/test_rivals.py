"""What the threads do that compete with one that serves a request."""

from __future__ import annotations

import pytest

from otel_flight.sources.stacks.rivals import rival_among

PLACES = {1: "rebuild (jobs.py:4)", 2: "rebuild (jobs.py:4)", 3: "mail (jobs.py:9)", 4: ""}


@pytest.mark.parametrize(
    ("used", "told"),
    [
        ({1: 50, 3: 40}, "rebuild (jobs.py:4)"),
        ({1: 20, 2: 20, 3: 30}, "rebuild (jobs.py:4)"),
        ({1: 20, 3: 10, 4: 60}, ""),
        ({1: 10, 2: 10}, ""),
        ({}, ""),
    ],
)
def test_those_who_do_the_same_count_together(used: dict[int, int], told: str) -> None:
    """From a quarter of a CPU on, whatever a thread does of which nothing is known."""
    assert rival_among(used, 100, PLACES.__getitem__) == told


def test_only_the_busiest_threads_are_looked_at() -> None:
    """A process may have hundreds."""
    looked_at: list[int] = []

    def place_on(thread: int) -> str:
        looked_at.append(thread)
        return "work (a.py:1)"

    assert rival_among({thread: thread for thread in range(100)}, 100, place_on) == "work (a.py:1)"
    assert looked_at == [99, 98, 97, 96]
