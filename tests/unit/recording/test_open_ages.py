"""How long spans have been open, whatever is done to the wall clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from otel_flight.recording.open_ages import OpenAges
from otel_flight.testing import FakeClock

SECOND_NS = 1_000_000_000


def started(clock: FakeClock) -> Any:
    """Return a span that starts now."""
    return SimpleNamespace(start_time=clock.wall_ns())


def test_a_span_grows_older_with_the_clock() -> None:
    """From its start on, which was between two updates."""
    clock = FakeClock()
    ages = OpenAges(clock)
    clock.advance(1)
    span = started(clock)
    clock.advance(1)

    assert ages.update([(7, span)]) == {7: SECOND_NS}
    clock.advance(3)
    assert ages.update([(7, span)]) == {7: 4 * SECOND_NS}


@pytest.mark.parametrize("start", [0, -1, None, "yesterday", 1 << 70], ids=repr)
def test_a_start_that_cannot_be_is_not_believed(start: object) -> None:
    """A span that is seen for the first time is not older than the time since the last update."""
    clock = FakeClock()
    ages = OpenAges(clock)
    clock.advance(1)

    (age_ns,) = ages.update([(7, SimpleNamespace(start_time=start))]).values()

    assert 0 <= age_ns <= SECOND_NS


def test_what_has_ended_is_forgotten() -> None:
    """An id that comes again is another span."""
    clock = FakeClock()
    ages = OpenAges(clock)
    ages.update([(7, started(clock))])
    clock.advance(5)

    assert ages.update([]) == {}
    assert ages.update([(7, started(clock))]) == {7: 0}
