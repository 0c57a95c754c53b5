"""A lane against a list: whatever is appended in whatever order, nothing is lost uncounted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from opentelemetry.sdk.resources import Resource

from otel_flight.records.records import SpanStart
from otel_flight.ring import layout
from otel_flight.ring.lane_writer import MOST_AT_ONCE, OVERFLOW_RECORDS
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import Segment
from tests.support.rigs.lane_bench import LaneBench, start_record
from tests.support.rigs.recording_rig import Recorded, resolved_segment


@dataclass(frozen=True)
class Entry:
    """What was appended: a record of `size` bytes with its number, name and scope."""

    number: int
    size: int
    name: str
    scope: str


class LaneModel(RuleBasedStateMachine):
    """The lane under test, and what should be in it.

    `appended` has everything that had its turn; `waiting` what came while the lane was busy.
    """

    @initialize(segments=st.integers(2, 4), early=st.integers(0, 3))
    def begin(self, segments: int, early: int) -> None:
        """Record a little before there is a ring, then make it."""
        self.bench = LaneBench(segments, is_attached=False)
        self.scopes = {0: ""}
        self.appended: list[Entry] = []
        self.waiting: list[Entry] = []
        self.dropped = self.count = 0
        self.is_busy = True
        self.readings: list[Iterator[Segment]] = []
        self.turn = contextlib.ExitStack()
        for _ in range(early):
            self.append(100, 0)
        self.bench.attach()
        self.is_busy = False
        self.take_turns()

    def append(self, size: int, scope: int) -> None:
        """Append a record, here and there."""
        self.count += 1
        name = msgspec.msgpack.decode(start_record(self.count, size, scope), type=SpanStart).name
        if size > layout.PAYLOAD_BYTES:
            self.dropped += 1
        else:
            self.waiting.append(Entry(self.count, size, name, self.scopes[scope]))
        if not self.is_busy:
            self.take_turns(MOST_AT_ONCE)
        self.bench.append(self.count, size, scope)

    def take_turns(self, most: int = OVERFLOW_RECORDS) -> None:
        """Do with what waits what the lane should do with it."""
        self.appended += self.waiting[:most]
        del self.waiting[:most]

    @rule(
        size=st.integers(40, 400)
        | st.integers(10_000, 40_000)
        | st.integers(layout.MAX_RECORD_BYTES - 50, layout.MAX_RECORD_BYTES)
        | st.sampled_from([layout.PAYLOAD_BYTES + 1, 100_000]),
        data=st.data(),
    )
    def append_one(self, size: int, data: st.DataObject) -> None:
        """Append a record of any size, some longer than a segment."""
        scope = 0 if size > layout.MAX_RECORD_BYTES else data.draw(st.sampled_from([*self.scopes]))
        self.append(size, scope)

    @rule(count=st.integers(1, 200), size=st.integers(40, 2000), data=st.data())
    def append_many(self, count: int, size: int, data: st.DataObject) -> None:
        """Append enough to go round the ring now and then."""
        scope = data.draw(st.sampled_from([*self.scopes]))
        for _ in range(count):
            self.append(size, scope)

    @rule(name=st.text(min_size=1, max_size=3), resource=st.sampled_from(["a", "b" * 20_000]))
    def make_scope(self, name: str, resource: str) -> None:
        """Make a scope of a small or a large resource."""
        number = self.bench.new_scope(name, Resource({"service.name": resource}))
        self.scopes[number] = name

    @precondition(lambda self: not self.is_busy)
    @rule()
    def become_busy(self) -> None:
        """Let someone else write for a while."""
        self.turn.enter_context(self.bench.busy())
        self.is_busy = True

    @precondition(lambda self: self.is_busy)
    @rule()
    def become_free(self) -> None:
        """Let them finish; what waited still waits."""
        self.turn.close()
        self.is_busy = False

    @precondition(lambda self: not self.is_busy)
    @rule()
    def tick(self) -> None:
        """Let the ticker drain."""
        self.bench.lane.drain()
        self.take_turns()

    @precondition(lambda self: len(self.readings) < 4)
    @rule()
    def begin_to_read(self) -> None:
        """Let someone begin to read who is slow."""
        reading = self.bench.image.segments(LANE_SPANS)
        next(reading)
        self.readings.append(reading)

    @precondition(lambda self: self.readings)
    @rule(which=st.integers(0, 3))
    def read_on(self, which: int) -> None:
        """Let them read on, overtaken by now perhaps: what they get is sound, and in order."""
        reading = self.readings.pop(which % len(self.readings))
        found = [item for segment in reading for item in resolved_segment(segment)]
        numbers = [item.record.span_id for item in found]
        assert numbers == sorted(set(numbers))
        by_number = {entry.number: entry for entry in self.appended}
        assert all(matches(item, by_number[item.record.span_id]) for item in found)

    @invariant()
    def everything_is_held_or_counted(self) -> None:
        """What is held are the newest, whole, in order, with what they refer to."""
        segments = self.bench.segments()
        held = [item for segment in segments for item in resolved_segment(segment)]
        expected = self.appended[len(self.appended) - len(held) :]
        assert all(matches(*pair) for pair in zip(held, expected, strict=True))

        counts = self.bench.lane.counts()
        assert counts.written_records == len(self.appended)
        assert counts.written_records == counts.evicted_records + len(held)
        assert counts.dropped_records == self.dropped

    @invariant()
    def segments_follow_each_other(self) -> None:
        """Sequences and record numbers have no gap, and no byte is written outside."""
        segments = self.bench.segments()
        header = self.bench.header()
        assert [segment.sequence for segment in segments] == list(
            range(max(1, header.sequence - self.bench.segment_count + 1), header.sequence + 1)
        )
        for before, after in pairwise(segments):
            assert before.end_record == after.first_record
            assert before.sealed_ns == after.opened_ns
        counts = self.bench.lane.counts()
        assert (header.evicted_records, header.evicted_bytes) == counts[1:3]
        assert self.bench.is_within_bounds()

    def teardown(self) -> None:
        """Unmap the lane."""
        if hasattr(self, "bench"):
            self.turn.close()
            self.bench.close()


def matches(item: Recorded, entry: Entry) -> bool:
    """Tell whether a record that was read is the one that was appended."""
    scope = item.scope.name if item.scope is not None else ""
    record = item.record
    return (record.span_id, record.name, scope) == (entry.number, entry.name, entry.scope)


TestLaneModel = LaneModel.TestCase
TestLaneModel.settings = settings(max_examples=40, stateful_step_count=30)
