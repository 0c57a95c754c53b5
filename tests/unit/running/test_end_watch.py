"""What the ring says of SIGTERM, tick by tick."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from otel_flight.ground.clock import SYSTEM_CLOCK
from otel_flight.ring.layout import UNNOTICED
from otel_flight.running.ends import end_watch
from otel_flight.running.ends.end_watch import EndWatch


class Ring:
    """A ring that knows what it was told."""

    backing = SimpleNamespace(descriptor=None)
    noted = 0

    def note_termination(self, last_ns: int) -> None:
        """Note it."""
        self.noted = last_ns


class Termination:
    """It says what a test wants."""

    said = 0

    def note_in(self, descriptor: int | None) -> bool:
        """Note nothing."""
        return False

    def look(self) -> int:
        """Return it."""
        return self.said


def test_what_could_not_be_noticed_once_can_be_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a process that is killed would count as told to end, and make no incident."""
    ring, termination, incidents = Ring(), Termination(), SimpleNamespace(close_now=lambda: None)
    session: Any = SimpleNamespace(ring=ring)
    lifecycle: Any = incidents
    watch = EndWatch(session, lifecycle, SYSTEM_CLOCK)
    monkeypatch.setattr(end_watch, "TERMINATION", termination)
    noted = []

    for said in (0, UNNOTICED, 0, 0, 5_000):
        termination.said = said
        watch.look()
        noted.append(ring.noted)

    assert noted == [0, UNNOTICED, 0, 0, 5_000]
