"""Turns with the GIL are short while the process ends, and only then."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from otel_flight.running.ends.quick_turns import quick_turns

_NOT_OURS = 0.0123


@pytest.fixture(autouse=True)
def interval() -> Iterator[float]:
    """The interval between turns, put back afterwards."""
    before = sys.getswitchinterval()
    yield before
    sys.setswitchinterval(before)


def test_turns_are_as_before_afterwards(interval: float) -> None:
    """Explicit ends, and what exit handlers of the application do after ours, find them so."""
    with quick_turns():
        assert sys.getswitchinterval() < interval

    assert sys.getswitchinterval() == interval


def test_what_the_application_sets_meanwhile_stays() -> None:
    """It is not put back: it was not ours."""
    with quick_turns():
        sys.setswitchinterval(_NOT_OURS)

    assert sys.getswitchinterval() == pytest.approx(_NOT_OURS)


def test_shorter_turns_stay_short() -> None:
    """They are not made longer."""
    sys.setswitchinterval(1e-6)

    with quick_turns():
        assert sys.getswitchinterval() == pytest.approx(1e-6)
