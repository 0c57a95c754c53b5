"""Long work lets the application run: often for a moment, and for as long as its share demands."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.delivery.chunks import SpanChunk
from otel_flight.delivery.pacing import (
    LEAST_DEBT_NS,
    LONGEST_PIECE_NS,
    SHORTEST_SLEEP_SECONDS,
    Pacer,
)
from otel_flight.ground.deadline import Deadline, OutOfTime
from otel_flight.testing import FakeClock

STEP_SECONDS = 50e-6


class Work:
    """Work that costs processor time on a clock of the test's own."""

    def __init__(self, share: float) -> None:
        self.clock = FakeClock()
        self.used_ns = self.queued_ns = 0
        self.sleeps: list[float] = []
        self.pacer = Pacer(
            share,
            clock=self.clock,
            thread_time_ns=lambda: self.used_ns,
            run_queue_ns=lambda: self.queued_ns,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.clock.advance(seconds)

    def do(self, seconds: float) -> None:
        """Work for so long, yielding every 50 µs."""
        for _ in range(round(seconds / STEP_SECONDS)):
            self.clock.advance(STEP_SECONDS)
            self.used_ns += int(STEP_SECONDS * 1e9)
            self.pacer.yield_if_due()

    def wait(self, seconds: float) -> None:
        """Let time pass without work, as while a backend answers."""
        self.clock.advance(seconds)

    def queue(self, seconds: float) -> None:
        """Be ready to run for so long, while other processes have the CPU."""
        self.clock.advance(seconds)
        self.queued_ns += int(seconds * 1e9)

    @property
    def elapsed_seconds(self) -> float:
        """How long everything took, sleeps included."""
        return self.used_ns / 1e9 + sum(self.sleeps)


def test_work_rests_after_every_piece() -> None:
    """Nobody waits longer for the interpreter than one piece takes."""
    work = Work(share=1.0)

    work.do(0.1)

    assert LONGEST_PIECE_NS <= 500_000
    assert len(work.sleeps) == round(0.1e9 / LONGEST_PIECE_NS)
    assert set(work.sleeps) == {SHORTEST_SLEEP_SECONDS}


def test_work_takes_its_share() -> None:
    """Over a while, processor time is the configured part of the time that passed."""
    work = Work(share=0.25)

    work.do(1.0)

    assert 0.24 <= 1.0 / work.elapsed_seconds <= 0.26


def test_long_sleeps_are_few() -> None:
    """What is owed beyond short sleeps is paid in long ones, as each leaves cold caches behind."""
    work = Work(share=0.25)

    work.do(1.0)

    long = [seconds for seconds in work.sleeps if seconds > SHORTEST_SLEEP_SECONDS]
    assert all(seconds >= LEAST_DEBT_NS / 1e9 for seconds in long)
    assert 100 <= len(long) <= 300


def test_waiting_for_answers_counts_as_rest() -> None:
    """Work that mostly waits is not slowed down further."""
    work = Work(share=0.5)

    for _ in range(100):
        work.do(0.001)
        work.wait(0.002)

    assert max(work.sleeps) == SHORTEST_SLEEP_SECONDS


def test_the_share_is_one_of_what_others_leave() -> None:
    """Where the CPU is taken away in the middle of the work, the GIL stays taken: it rests more."""
    work = Work(share=0.5)

    for _ in range(100):
        work.do(0.0002)
        work.queue(0.004)
        work.do(0.0002)

    assert sum(work.sleeps) == pytest.approx(work.used_ns / 1e9 + 0.4, rel=0.1)


def test_a_long_wait_does_not_pay_for_a_long_burst() -> None:
    """After ten seconds of waiting, work does not run unpaced for as long."""
    work = Work(share=0.25)

    work.wait(10)
    work.do(1.0)

    assert work.elapsed_seconds > 3.8


def test_hurry_takes_no_rest_and_ends_in_time() -> None:
    """When the process is about to end, nobody else runs; in the end there is no time for more."""
    work = Work(share=0.01)

    work.pacer.hurry(Deadline.after(0.2, work.clock))
    work.do(0.1)
    work.pacer.yield_in_time()
    work.wait(0.1)

    assert work.sleeps == []
    with pytest.raises(OutOfTime):
        work.pacer.yield_in_time()


def test_begin_forgets_what_was_before() -> None:
    """An incident does not pay for the one before it."""
    work = Work(share=0.01)
    work.do(0.01)
    owed = len(work.sleeps)
    work.pacer.begin()

    work.do(0.0004)

    assert work.sleeps[owed:] == [min(work.sleeps[owed], 0.05)]


def test_a_chunk_is_handed_over_rested() -> None:
    """The exporter puts the request together right after the last span, in one long piece."""
    work = Work(share=1.0)
    chunk = SpanChunk(lambda span: span, (), work.pacer)

    assert list(chunk) == []
    assert work.sleeps == [SHORTEST_SLEEP_SECONDS]


def test_a_part_of_a_chunk_builds_only_its_own() -> None:
    """Halves make together what the whole made; what cannot be built is left out of its half."""
    spans = [ReadableSpan(str(number)) for number in range(5)]
    built: list[int] = []

    def build(number: int) -> ReadableSpan | None:
        built.append(number)
        return None if number == 3 else spans[number]

    chunk = SpanChunk(build, range(5), Work(share=1.0).pacer)
    first, second = chunk.part(0, 2), chunk.part(2, 5)

    assert (len(first), len(second)) == (2, 3)
    assert list(first) == spans[:2]
    assert built == [0, 1]
    assert list(second) == [spans[2], spans[4]]
    assert list(chunk) == [*spans[:3], spans[4]]
