"""What a process leaves behind that was killed in the middle of recording."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from otel_flight.records.records import Span, SpanStart
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import RingReader
from tests.support.rigs.recording_rig import Recorded, resolved_segment

ROOT = Path(__file__).parents[3]
PROGRAM = str(Path(__file__).parent / "programs" / "heavy_recorder.py")

FITS = 500
"""So many queries fit into the window of the program for sure."""


class HeavyRecorder:
    """The program, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = process.stdout
        _, ring, pid, *children = self._lines.readline().split()
        self.ring = Path(ring)
        self.pid = int(pid)
        self.children = [int(child) for child in children]
        self.said: dict[int, int] = {}

    def kill_after(self, reports: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill it after it has reported so often, and read what it said before it died."""
        for line in self._lines:
            thread, _, last = line.partition(" ")
            self.said[int(thread)] = int(last)
            reports -= 1
            if reports == 0:
                self._process.send_signal(number)
                self._process.wait(30)
                if self.children:  # they hold the pipe open
                    break

    @property
    def exit_code(self) -> int | None:
        """How it ended."""
        return self._process.returncode


@contextlib.contextmanager
def recording(threads: int, *how: str) -> Iterator[HeavyRecorder]:
    """Run the program with some threads."""
    with subprocess.Popen(
        [sys.executable, PROGRAM, str(threads), *how],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        recorder = HeavyRecorder(process)
        try:
            yield recorder
        finally:
            process.kill()
            for child in recorder.children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)


def held(ring: Path) -> list[Recorded]:
    """Return what a ring holds, checking that its segments follow each other without a gap."""
    with RingReader(ring) as reader:
        segments = list(reader.image.segments(LANE_SPANS))
        header = reader.image.header().lanes[LANE_SPANS]
    sequences = [segment.sequence for segment in segments]
    assert sequences == list(range(sequences[0], header.sequence + 1))
    for before, after in pairwise(segments):
        assert before.end_record == after.first_record
    return [item for segment in segments for item in resolved_segment(segment)]


def numbers_of(records: list[Recorded], thread: int) -> list[int]:
    """Return the numbers of a thread's queries, as they stand in the ring."""
    return [
        item.record.attributes["number"]
        for item in records
        if isinstance(item.record, Span)
        and item.record.name.startswith("query")
        and item.record.attributes["thread"] == thread
    ]


@pytest.mark.parametrize("reports", [1, 7, 60, 200])
def test_every_span_that_ended_is_in_the_ring(reports: int) -> None:
    """Complete up to the last commit, whenever the kill comes: at first, or after many laps."""
    with recording(1) as recorder:
        recorder.kill_after(reports)

        assert recorder.exit_code == -signal.SIGKILL
        numbers = numbers_of(held(recorder.ring), 0)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert numbers[-1] >= recorder.said[0]
        if numbers[-1] < FITS:
            assert numbers[0] == 1


@pytest.mark.parametrize("reports", [9, 150])
def test_threads_that_recorded_at_once_left_no_half_record(reports: int) -> None:
    """Every record can be read, and each thread's are in order; a few may still have waited."""
    with recording(6) as recorder:
        recorder.kill_after(reports)

        records = held(recorder.ring)
        assert len(records) > 100
        for thread in range(6):
            numbers = numbers_of(records, thread)
            assert numbers == sorted(set(numbers))
            assert all(
                item.scope is not None and item.scope.name == f"thread {thread}"
                for item in records
                if isinstance(item.record, Span) and item.record.attributes["thread"] == thread
            )


def test_a_killed_process_is_seen_to_be_dead(own_environment: Path) -> None:
    """Its lock is gone, its ring is not clean, and says who it was and until when it lived."""
    with recording(2) as recorder:
        with RingReader(recorder.ring) as reader:
            assert reader.is_owner_alive()
        recorder.kill_after(20)

        assert recorder.ring.parent == own_environment
        with RingReader(recorder.ring) as reader:
            header = reader.image.header()
            assert not reader.is_owner_alive()
        assert not header.is_clean
        assert header.pid == recorder.pid
        assert header.heartbeat_monotonic_ns >= header.created_monotonic_ns


def test_what_it_was_doing_is_known() -> None:
    """Spans that began and did not end are in the ring: the request in hand, and the hung one."""
    with recording(1, "wide") as recorder:
        recorder.kill_after(5)

        records = [item.record for item in held(recorder.ring)]
        ended = {record.span_id for record in records if type(record) is Span}
        started = {record.span_id: record for record in records if isinstance(record, SpanStart)}
        left = [record.name for span_id, record in started.items() if span_id not in ended]
        assert left[0] == "hung"
        assert left[1:] in ([], ["request"])


def test_a_process_that_is_terminated_leaves_nothing() -> None:
    """SIGTERM, unlike SIGKILL, lets it end in order."""
    with recording(1) as recorder:
        recorder.kill_after(10, signal.SIGTERM)

        assert recorder.exit_code == -signal.SIGTERM
        assert not recorder.ring.exists()


def test_a_process_that_is_too_busy_to_end_in_order_ends_all_the_same() -> None:
    """Threads that never rest may keep the interpreter to themselves; the signal kills in time.

    CPython 3.11 can withhold its lock from several waiting threads for seconds at a time. What is
    left then is a dead process's ring, which a later start removes.
    """
    with recording(3) as recorder:
        recorder.kill_after(10, signal.SIGTERM)

        assert recorder.exit_code == -signal.SIGTERM


def test_a_child_does_not_keep_the_ring_of_its_dead_parent_alive() -> None:
    """A forked child that records nothing still lets go of what it inherited."""
    with recording(2, "forks") as recorder:
        recorder.kill_after(10)

        (child,) = recorder.children
        os.kill(child, 0)
        with RingReader(recorder.ring) as reader:
            assert not reader.is_owner_alive()
        assert len(held(recorder.ring)) > 100
