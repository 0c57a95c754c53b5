"""Incidents and dead rings leave when they are as old as the setting says."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_flight.ground.guard import Guard
from otel_flight.testing.fake_clock import FakeClock
from otel_flight.worker.retention import BETWEEN_LOOKS_SECONDS, Retention
from tests.support.rigs.recording_rig import RecordingRig

_DAY = 24 * 3600.0


class Bench:
    """A retention of two days over a spool and a ring directory, on one thread."""

    def __init__(self, directory: Path) -> None:
        self.spool, self.rings = directory / "spool", directory / "rings"
        self.spool.mkdir(mode=0o700)
        self.clock = FakeClock()
        self.guard = Guard()
        self.jobs: list[Callable[[], None]] = []
        self.retention = Retention(
            2 * _DAY,
            spool=lambda: self.spool,
            rings=lambda: [self.rings],
            submit=self.jobs.append,
            clock=self.clock,
            guard=self.guard,
        )

    def look(self) -> int:
        """Look as a tick does, and do the jobs; return how many there were."""
        self.retention.look()
        jobs, self.jobs[:] = self.jobs[:], []
        for job in jobs:
            job()
        return len(jobs)

    def dead_ring(self) -> Path:
        """Leave the ring of a process that died just now."""
        rig = RecordingRig(self.rings, window_bytes="512KiB")
        path = rig.ring.backing.path
        rig.ring.heartbeat()
        rig.ring.close(clean=False)
        assert path is not None
        os.utime(path, (0, 0))  # a ring's file says nothing of when it was written
        return path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty one."""
    return Bench(tmp_path)


def test_what_is_too_old_goes(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Not before; a warning says what was lost."""
    incident = bench.spool / "20260101-000000-1-shop.flight"
    incident.write_bytes(b"x")
    ring = bench.dead_ring()

    bench.look()
    assert incident.exists()
    assert ring.exists()

    bench.clock.advance(2 * _DAY + 60)
    with caplog.at_level(logging.WARNING, "otel_flight"):
        bench.look()
    assert not incident.exists()
    assert not ring.exists()
    assert "removed 1 incident from" in caplog.text
    assert bench.guard.errors() == ()


def test_the_ring_of_a_process_that_lives_stays(bench: Bench) -> None:
    """However long ago it has said so: it may be stopped."""
    with RecordingRig(bench.rings, window_bytes="512KiB") as rig:
        path = rig.ring.backing.path
        assert path is not None
        bench.clock.advance(3 * _DAY)
        bench.look()

        assert path.exists()


def test_it_is_looked_for_now_and_then(bench: Bench) -> None:
    """At first, and each hour: it reads directories."""
    assert bench.look() == 1
    assert bench.look() == 0
    bench.clock.advance(BETWEEN_LOOKS_SECONDS)
    assert bench.look() == 1


def test_directories_may_be_missing(bench: Bench) -> None:
    """Nothing is made to be looked into."""
    bench.spool.rmdir()

    bench.look()

    assert not bench.spool.exists()
    assert bench.guard.errors() == ()
