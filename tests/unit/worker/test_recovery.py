"""Dead rings are looked for now and then, and those that were passed over are tried again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from otel_flight.errors import SpoolUnavailable
from otel_flight.ground.guard import Guard
from otel_flight.testing.fake_clock import FakeClock
from otel_flight.worker.recovery import BETWEEN_LOOKS_SECONDS, Recovery
from tests.support.rigs.recording_rig import RecordingRig


class Bench:
    """A recovery that cannot keep what it finds, for want of room."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.guard = Guard()
        self.tried: list[Path] = []
        self.jobs: list[Callable[[], None]] = []
        self.recovery = Recovery(
            self._recover, lambda: [directory], self.jobs.append, self.clock, self.guard
        )

    def look(self, after_seconds: float) -> int:
        """Look so much later, and do the jobs; return how many rings were tried."""
        self.clock.advance(after_seconds)
        self.tried.clear()
        self.recovery.look()
        while self.jobs:
            self.jobs.pop()()
        return len(self.tried)

    def _recover(self, path: Path) -> None:
        self.tried.append(path)
        raise SpoolUnavailable(path, "no room")


@pytest.fixture
def bench(own_environment: Path) -> Bench:
    """One beside the ring of a dead process."""
    rig = RecordingRig(own_environment, window_bytes="512KiB")
    rig.ring.heartbeat()
    rig.ring.close(clean=False)
    return Bench(own_environment)


def test_a_ring_that_there_is_no_room_for_is_tried_again(bench: Bench) -> None:
    """Ten seconds later, as there may be room by then; not at each look."""
    assert bench.look(0) == 1
    assert bench.look(BETWEEN_LOOKS_SECONDS) == 0
    assert bench.look(10) == 1
    assert bench.guard.errors() == ()


def test_nothing_is_looked_for_in_between(bench: Bench) -> None:
    """A ticker comes far more often."""
    bench.look(0)
    assert bench.look(10 + BETWEEN_LOOKS_SECONDS) == 1
    assert bench.look(BETWEEN_LOOKS_SECONDS / 2) == 0
