"""The writing end of a lane: bounds, order, counting, and never waiting."""

from __future__ import annotations

import contextlib
import dis
import gc
import inspect
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from otel_flight.interpreter.threads import HAS_GIL
from otel_flight.records.records import ResourceDefinition, ScopeDefinition
from otel_flight.ring import lane_writer, layout
from otel_flight.ring.lane_writer import OVERFLOW_RECORDS, LaneCounts, LaneWriter
from tests.support.rigs.lane_bench import LaneBench
from tests.support.rigs.recording_rig import resolved_segment


@pytest.fixture
def bench() -> Iterator[LaneBench]:
    """A lane of three segments."""
    with LaneBench() as bench:
        yield bench


UNINTERRUPTED = {
    "BINARY_ADD",
    "BINARY_AND",
    "BINARY_OP",
    "BINARY_RSHIFT",
    "BINARY_SUBSCR",
    "BINARY_SUBTRACT",
    "BUILD_SLICE",
    "COMPARE_OP",
    "CONTAINS_OP",
    "COPY",
    "DELETE_SUBSCR",
    "DUP_TOP",
    "EXTENDED_ARG",
    "INPLACE_ADD",
    "IS_OP",
    "LOAD_ATTR",
    "LOAD_COMMON_CONSTANT",
    "LOAD_CONST",
    "LOAD_FAST",
    "LOAD_FAST_BORROW",
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
    "LOAD_FAST_LOAD_FAST",
    "LOAD_GLOBAL",
    "LOAD_SMALL_INT",
    "NOP",
    "NOT_TAKEN",
    "POP_BLOCK",
    "POP_JUMP_FORWARD_IF_FALSE",
    "POP_JUMP_FORWARD_IF_TRUE",
    "POP_JUMP_IF_FALSE",
    "POP_JUMP_IF_TRUE",
    "ROT_TWO",
    "SETUP_FINALLY",
    "STORE_ATTR",
    "STORE_FAST",
    "STORE_SLICE",
    "STORE_SUBSCR",
    "SWAP",
    "TO_BOOL",
}
"""CPython looks for signals, and for threads that want the GIL, at none of these; in Python 3.10 at
conditional jumps that are taken, which the usual way through a write has none of."""


def line_of(instruction: dis.Instruction) -> int | None:
    """Return the line that an instruction begins; None: it goes on with the one before."""
    line = getattr(instruction, "line_number", instruction.starts_line)
    return line if line is None else int(line)


@contextlib.contextmanager
def often_switching() -> Iterator[None]:
    """Switch between threads as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


class HostError(Exception):
    """What the host's signal handler raises."""


class TestWriting:
    """What is written where."""

    def test_records_are_read_in_the_order_they_were_written(self, bench: LaneBench) -> None:
        """Records of any size come back whole and in order."""
        for number in range(1, 200):
            bench.append(number, 40 + number)

        assert bench.numbers() == list(range(1, 200))
        assert bench.lane.counts() == LaneCounts(written_records=199)

    def test_a_record_may_fill_a_segment_exactly(self, bench: LaneBench) -> None:
        """The last byte of a payload is used, and the next record opens the next segment."""
        bench.append(1, layout.PAYLOAD_BYTES - 100)
        bench.append(2, 100)
        bench.append(3, 50)

        assert [len(segment.payload) for segment in bench.segments()] == [layout.PAYLOAD_BYTES, 50]
        assert bench.numbers() == [1, 2, 3]

    def test_the_oldest_segment_goes_when_the_lane_is_full(self, bench: LaneBench) -> None:
        """What is evicted is counted in records and bytes, without definitions."""
        scope = bench.new_scope("a")
        for number in range(1, 9):
            bench.append(number, 30_000, scope)

        first = bench.segments()[0]
        assert bench.numbers() == [3, 4, 5, 6, 7, 8]
        counts = bench.lane.counts()
        assert counts.written_records == 8
        assert counts.evicted_records == 2
        assert counts.evicted_bytes == len(first.payload)
        header = bench.header()
        assert (header.evicted_records, header.evicted_bytes) == (2, counts.evicted_bytes)
        assert header.sequence == 4
        assert bench.is_within_bounds()

    def test_segments_say_when_and_with_which_record_they_begin(self, bench: LaneBench) -> None:
        """Numbers run on from segment to segment; only the newest is not sealed."""
        for number in range(1, 8):
            bench.append(number, 30_000)

        segments = bench.segments()
        assert [segment.sequence for segment in segments] == [2, 3, 4]
        assert [segment.first_record for segment in segments] == [2, 4, 6]
        assert [segment.end_record for segment in segments] == [4, 6, 7]
        opened = [segment.opened_ns for segment in segments]
        assert opened == sorted(opened)
        assert [segment.sealed_ns for segment in segments] == [*opened[1:], 0]

    def test_each_segment_defines_what_it_uses(self, bench: LaneBench) -> None:
        """A scope and its resource stand once in every segment, before the first use."""
        first, second = bench.new_scope("first"), bench.new_scope("second")
        for number in range(1, 9):
            bench.append(number, 20_000, first if number % 2 else second)

        for segment in bench.segments():
            found = list(resolved_segment(segment))
            assert {item.scope.name for item in found if item.scope} == {"first", "second"}
            assert all(item.resource is not None for item in found)
            assert segment.definitions == 3

    def test_a_scope_that_was_forgotten_costs_no_record(self, bench: LaneBench) -> None:
        """A record of an unknown scope number is written without a definition."""
        bench.append(1, 100, scope=999)

        assert bench.numbers() == [1]
        assert bench.segments()[0].definitions == 0

    def test_the_largest_record_has_room_with_the_largest_definitions(
        self, bench: LaneBench
    ) -> None:
        """A record at its limit, in a segment of its own, leaves room for what it refers to."""
        resource = Resource({f"key {number}": "x" * 400 for number in range(1000)})
        scope = bench.new_scope("y" * 100_000, resource)

        bench.append(1, layout.MAX_RECORD_BYTES, scope)
        bench.append(2, layout.MAX_RECORD_BYTES, scope)

        assert bench.numbers() == [1, 2]
        assert [segment.definitions for segment in bench.segments()] == [2, 2]
        assert bench.is_within_bounds()

    @pytest.mark.parametrize("size", [layout.PAYLOAD_BYTES, layout.PAYLOAD_BYTES + 1, 500_000])
    def test_what_fits_into_no_segment_is_dropped_and_counted(
        self, bench: LaneBench, size: int
    ) -> None:
        """A record that does not fit beside its definitions touches no other segment."""
        scope = bench.new_scope("a")
        bench.append(1)

        bench.append(2, size, scope)
        bench.append(3)

        assert bench.numbers() == [1, 3]
        assert bench.lane.counts() == LaneCounts(written_records=2, dropped_records=1)
        assert bench.is_within_bounds()


class TestOverflow:
    """Records that come while someone else writes."""

    def test_records_wait_until_there_is_a_ring(self) -> None:
        """What is recorded before the ring exists is in it afterwards, in order."""
        with LaneBench(is_attached=False) as bench:
            scope = bench.new_scope("early")
            for number in range(1, 100):
                bench.append(number, scope=scope)

            bench.attach()
            bench.append(100, scope=scope)

            assert bench.numbers() == list(range(1, 101))

    def test_no_more_records_wait_than_have_room(self) -> None:
        """The overflow is bounded, and what it has no room for is counted."""
        with LaneBench(segments=20, is_attached=False) as bench:
            for number in range(OVERFLOW_RECORDS + 10):
                bench.append(number + 1)

            bench.attach()

            assert len(bench.numbers()) == OVERFLOW_RECORDS
            assert bench.lane.counts() == LaneCounts(OVERFLOW_RECORDS, 0, 0, dropped_records=10)

    def test_what_waited_is_written_before_the_next_record(self, bench: LaneBench) -> None:
        """A thread that did not get its turn still finds its records in the order it made them."""
        bench.append(1)
        with bench.busy():
            bench.append(2)
            bench.append(3)
        bench.append(4)

        assert bench.numbers() == [1, 2, 3, 4]

    def test_the_ticker_writes_what_waited(self, bench: LaneBench) -> None:
        """Without a next record, the ticker drains; what does not fit at all is counted then."""
        with bench.busy():
            bench.append(1)
            bench.append(2, 100_000)
            bench.append(3, 65_000)
            bench.append(4)

        bench.lane.drain()

        assert bench.numbers() == [1, 3, 4]
        assert bench.lane.counts().dropped_records == 1
        assert bench.is_within_bounds()

    def test_what_comes_after_the_end_is_counted_as_dropped(self) -> None:
        """Records that wait when the lane is detached are lost, and said to be."""
        with LaneBench() as bench:
            with bench.busy():
                bench.append(1)
                bench.append(2)
            bench.lane.detach()

            assert bench.lane.counts().dropped_records == 2
            bench.append(3)
            bench.lane.drain()
            assert bench.lane.counts() == LaneCounts(dropped_records=2)

    def test_a_collection_within_a_write_may_write_too(self) -> None:
        """Finalizers that append while their own thread is in `append` neither wait nor lose."""

        class Dying:
            def __del__(self) -> None:
                finalized.append(1)
                bench.append(0, 40)

        finalized: list[int] = []
        thresholds = gc.get_threshold()
        with LaneBench(segments=4) as bench:
            gc.set_threshold(1, 1_000_000, 1_000_000)
            try:
                for number in range(1, 2000):
                    dying = Dying()
                    dying.__dict__["cycle"] = dying
                    bench.append(number, 60)
            finally:
                gc.set_threshold(*thresholds)
            del dying
            gc.collect()
            bench.lane.drain()

            numbers = bench.numbers()
            assert len(finalized) == 1999
            assert numbers.count(0) == 1999
            assert [number for number in numbers if number] == list(range(1, 2000))


class TestThreads:
    """Many writers at once."""

    def test_nothing_is_lost_or_mixed_up_between_threads(self) -> None:
        """Each thread's records are whole and in its order, and the counts add up."""
        with LaneBench(segments=40) as bench:
            scopes = [bench.new_scope(f"thread {index}") for index in range(8)]
            start = threading.Barrier(8)

            def work(index: int) -> None:
                start.wait()
                for number in range(1000):
                    bench.append(index * 1000 + number + 1, 150, scopes[index])

            threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
            with often_switching():
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            bench.lane.drain()

            counts = bench.lane.counts()
            assert counts.written_records + counts.dropped_records == 8000
            found = [item for segment in bench.segments() for item in resolved_segment(segment)]
            assert len(found) == counts.written_records
            for index in range(8):
                mine = [
                    item.record.span_id
                    for item in found
                    if item.scope is not None and item.scope.name == f"thread {index}"
                ]
                assert mine == sorted(mine)
                assert all(index * 1000 < number <= index * 1000 + 1000 for number in mine)

    @pytest.mark.parametrize("size", [100, 20_000])
    def test_nothing_waits_for_a_thread_that_lost_the_gil(self, size: int) -> None:
        """No thread gives the GIL away while it has the turn, so a kill finds nothing waiting."""
        with LaneBench(segments=8) as bench:
            scopes = [bench.new_scope(f"thread {index}") for index in range(16)]
            waited: list[int] = []

            def work(scope: int) -> None:
                for number in range(2000):
                    bench.append(number, size, scope)
                    waited.append(len(bench.lane._overflow))

            threads = [threading.Thread(target=work, args=(scope,)) for scope in scopes]
            with often_switching():
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

            assert bench.lane.counts().dropped_records == 0
            assert bench.lane.counts().written_records == 16 * 2000
            if HAS_GIL and sys.version_info >= (3, 11):  # see UNINTERRUPTED
                assert max(waited) < 16
            bench.lane.drain()
            assert not bench.lane._overflow

    @pytest.mark.skipif(sys.implementation.name != "cpython", reason="it is about CPython's GIL")
    @pytest.mark.parametrize(
        "method", [LaneWriter.append, LaneWriter._write_first, LaneWriter._open_segment]
    )
    def test_nothing_gives_the_gil_away_while_it_has_the_turn(
        self, method: Callable[..., object]
    ) -> None:
        """Only what is known to neither call anything nor jump back; new opcodes fail here."""
        lines, first = inspect.getsourcelines(method)
        (begin,) = (first + at for at, line in enumerate(lines) if "del turn[_TOKEN]" in line)
        (end,) = (first + at for at, line in enumerate(lines) if "turn[_TOKEN] = None" in line)

        line = first
        found = set()
        for instruction in dis.get_instructions(method):
            line = line_of(instruction) or line
            if begin < line < end:
                found.add(instruction.opname)
                assert instruction.argrepr not in {"//", "%", "*", "/", "**"}, "may run handlers"

        assert len(found) > 5
        assert found <= UNINTERRUPTED


class TestInterruptions:
    """Exceptions of the host that come out of nowhere, and kills."""

    def test_a_reader_finds_every_segment_whole_at_every_instruction(
        self, bench: LaneBench
    ) -> None:
        """A kill may come anywhere: what a segment says it holds is what can be read of it."""
        scopes = [bench.new_scope("first"), bench.new_scope("second")]
        found: list[int] = []

        def look(frame: FrameType, event: str, argument: object) -> Any:
            if frame.f_code.co_filename != lane_writer.__file__:
                return None
            frame.f_trace_opcodes = True
            found.append(sum(len(list(resolved_segment(each))) for each in bench.segments()))
            return look

        tracing = sys.gettrace()
        sys.settrace(look)
        try:
            for number in range(1, 10):
                bench.append(number, 30_000, scopes[number % 2])
        finally:
            sys.settrace(tracing)

        assert len(found) > 500
        assert set(found) == {0, 1, 2, 3, 4, 5, 6}

    def test_a_handler_that_raises_anywhere_leaves_every_count_right(self) -> None:
        """Wherever a write is cut off, records are whole or absent, defined, and counted once."""
        interrupted = 0

        def handler(number: int, frame: FrameType | None) -> None:
            # Not in the test itself: nothing would stop the timer.
            while frame is not None and frame.f_code.co_filename != lane_writer.__file__:
                frame = frame.f_back
            if frame is not None:
                raise HostError

        with LaneBench(segments=2) as bench:
            scopes = [bench.new_scope(f"scope {index}") for index in range(50)]
            before = signal.signal(signal.SIGVTALRM, handler)
            appended = 0
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0.0003, 0.0003)
                while interrupted < 300:
                    try:
                        while True:
                            appended += 1
                            size = 20_000 if appended % 3 else 40
                            bench.append(appended, size, scopes[appended % 50])
                    except HostError:
                        interrupted += 1
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                signal.signal(signal.SIGVTALRM, before)
            bench.lane.drain()

            found = [item for segment in bench.segments() for item in resolved_segment(segment)]
            numbers = [item.record.span_id for item in found]
            counts = bench.lane.counts()
            assert counts.written_records == counts.evicted_records + len(found)
            assert numbers == sorted(set(numbers))
            assert appended - interrupted <= counts.written_records <= appended
            header = bench.header()
            assert header.evicted_records == counts.evicted_records
            assert header.evicted_bytes == counts.evicted_bytes
            assert bench.is_within_bounds()


def test_definitions_are_not_counted_as_records(bench: LaneBench) -> None:
    """Totals speak of what happened, not of how it is stored."""
    for index in range(10):
        bench.append(index + 1, 100, bench.new_scope(f"scope {index}"))

    definitions = [
        record
        for record in bench.records()
        if isinstance(record, (ResourceDefinition, ScopeDefinition))
    ]
    assert len(definitions) == 11
    assert bench.lane.counts() == LaneCounts(written_records=10)
