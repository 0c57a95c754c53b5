"""What a run has learned is read at its start, and written now and then and at its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from otel_flight.ground.guard import Guard
from otel_flight.running.succession.known_latency import BETWEEN_WRITES_SECONDS, KnownLatency
from otel_flight.testing import FakeClock
from otel_flight.triggers.latency.knowledge import FILE_NAME, read_knowledge
from otel_flight.triggers.latency.learned import LearnedLimits

MILLISECOND = 1_000_000


class RunOfAProcess:
    """Limits with a worker that works when it is told to."""

    def __init__(self, directory: Path, service: str = "shop") -> None:
        self.clock = FakeClock()
        self.guard = Guard()
        self.limits = LearnedLimits(self.clock)
        self.jobs: list[Callable[[], None]] = []
        self.latency = KnownLatency(
            self.limits, lambda: directory, self.jobs.append, self.clock, self.guard
        )
        self.latency.begin(service)

    def work(self) -> None:
        """Do what was submitted, and tick."""
        while self.jobs:
            self.jobs.pop(0)()
        self.latency.look()

    def serve(self, milliseconds: int, times: int) -> None:
        """Let roots end."""
        for _ in range(times):
            self.limits.note(("GET /report", milliseconds * MILLISECOND))
        self.latency.look()

    def limit_ns(self) -> int | None:
        """Return what is slow."""
        return self.limits.limit_ns("GET /report")


def test_a_process_goes_on_where_another_ended(tmp_path: Path) -> None:
    """What was learned until the end is there from the first tick on."""
    first = RunOfAProcess(tmp_path)
    first.work()
    first.serve(8000, 30)
    first.latency.end()
    first.work()

    second = RunOfAProcess(tmp_path)
    assert second.limit_ns() is None
    second.work()

    assert second.limit_ns() == first.limit_ns()
    assert first.guard.errors() == second.guard.errors() == ()


def test_another_service_does_not(tmp_path: Path) -> None:
    """Their roots may have the same names."""
    first = RunOfAProcess(tmp_path)
    first.serve(8000, 30)
    first.latency.end()
    first.work()

    second = RunOfAProcess(tmp_path, "bank")
    second.work()

    assert second.limit_ns() is None


def test_it_is_written_now_and_then(tmp_path: Path) -> None:
    """A process that is killed loses what it learned in the last minutes."""
    run = RunOfAProcess(tmp_path)
    run.work()
    run.serve(8000, 30)
    run.work()
    assert read_knowledge(tmp_path) == {}

    run.clock.advance(BETWEEN_WRITES_SECONDS)
    run.latency.look()
    run.work()

    assert read_knowledge(tmp_path)["shop"].roots["GET /report"].values == 30


def test_nothing_new_is_not_written(tmp_path: Path) -> None:
    """Neither by a process that has seen next to nothing, nor again what is there."""
    run = RunOfAProcess(tmp_path)
    run.work()
    run.serve(8000, 3)
    run.latency.end()
    assert run.jobs == []

    run.serve(8000, 30)
    run.latency.end()
    run.work()
    (tmp_path / FILE_NAME).unlink()
    run.clock.advance(BETWEEN_WRITES_SECONDS)
    run.latency.look()
    run.latency.end()

    assert run.jobs == []


@pytest.mark.parametrize("kind", ["file", "missing"])
def test_a_place_that_cannot_be_used_is_no_error(tmp_path: Path, kind: str) -> None:
    """The spool, which is there as well, says what is wrong."""
    directory = tmp_path / "file" / "spool"
    if kind == "file":
        (tmp_path / "file").write_text("")
    run = RunOfAProcess(directory)
    run.work()
    run.serve(8000, 30)

    run.latency.end()
    run.work()

    assert run.guard.errors() == ()
    assert ("shop" in read_knowledge(directory)) is (kind == "missing")
