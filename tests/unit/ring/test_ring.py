"""The ring as its owner has it: header, lanes, heartbeat, requests, and letting go."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.assembly import Settings
from otel_flight.ground.clock import wall_ns
from otel_flight.ground.deadline import Deadline
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.ring import layout
from otel_flight.ring.file import create_backing
from otel_flight.ring.lane_writer import LaneWriter
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS
from otel_flight.ring.reader import RingReader
from otel_flight.ring.ring import Ring, boot_id
from tests.support.rigs.lane_bench import start_record

SEGMENTS = (5, 2)


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    """A ring in a file."""
    ring = new_ring(tmp_path / "ring")
    yield ring
    if ring.backing.memory.closed:
        return
    ring.close(clean=True)


def new_ring(directory: Path) -> Ring:
    """Return a new ring in a directory of its own."""
    scopes = ScopeTable()
    lanes = LaneWriter(LANE_SPANS, scopes), LaneWriter(LANE_RUNTIME, scopes)
    backing = create_backing(directory, "1.ring", layout.segment_offset(sum(SEGMENTS)))
    return Ring(backing, lanes, SEGMENTS, {"service": "shop"})


def put_request(ring: Ring, blob: bytes, number: int) -> None:
    """Write a request as another process would."""
    offset = layout.REQUEST_OFFSET
    ring.backing.memory[offset : offset + 2 + len(blob)] = len(blob).to_bytes(2, "little") + blob
    with memoryview(ring.backing.memory).cast("Q") as words:
        words[layout.W_REQUEST] = number


class TestSizes:
    """How the bytes are divided."""

    @pytest.mark.parametrize("window_bytes", [512 * 1024, 1 << 20, 16 << 20, (16 << 20) + 12345])
    @pytest.mark.parametrize("runtime_bytes", [128 * 1024, 2 << 20, 8 << 20])
    def test_the_file_never_exceeds_the_window(self, window_bytes: int, runtime_bytes: int) -> None:
        """The setting is a cap; less than a segment of it stays unused."""
        spans, runtime = layout.segments_for(window_bytes, runtime_bytes)

        size = layout.segment_offset(spans + runtime)
        assert window_bytes - layout.SEGMENT_BYTES < size <= window_bytes
        assert min(spans, runtime) >= 2

    def test_the_runtime_lane_gets_what_it_asks_for_up_to_a_half(self) -> None:
        """A small window is shared, a large one gives what was asked."""
        assert layout.segments_for(16 << 20, 2 << 20) == (223, 32)
        assert layout.segments_for(1 << 20, 16 << 20) == (8, 7)

    def test_the_longest_record_fits_beside_its_definitions(self) -> None:
        """Else it would have no segment to go to; the setting allows no longer one."""
        together = layout.MAX_RECORD_BYTES + layout.MAX_RESOURCE_BYTES + layout.MAX_SCOPE_BYTES

        assert together <= layout.PAYLOAD_BYTES
        assert Settings().record_bytes == layout.MAX_RECORD_BYTES
        with pytest.raises(ValueError, match="record_bytes"):
            Settings(record_bytes=layout.MAX_RECORD_BYTES + 1)


class TestHeader:
    """What others learn from it."""

    def test_it_tells_whose_ring_this_is(self, ring: Ring) -> None:
        """Process, host, boot, service, versions and times are there from the beginning."""
        header = ring.image.header()

        assert header.pid == os.getpid()
        assert header.format_version == layout.FORMAT_VERSION
        assert header.file_bytes == len(ring.backing.memory)
        assert not header.is_clean
        assert header.facts["service"] == "shop"
        assert header.facts["boot_id"] == boot_id()
        assert header.facts.keys() >= {"host", "python", "implementation", "sdk"}
        assert abs(wall_ns() - header.created_wall_ns) < 60e9
        assert [lane.segments for lane in header.lanes] == list(SEGMENTS)
        assert [lane.first_segment for lane in header.lanes] == [0, 5]

    def test_a_heartbeat_moves_both_clocks(self, ring: Ring) -> None:
        """A reader can tell how long the process has been silent."""
        before = ring.image.header()
        ring.heartbeat()
        after = ring.image.header()

        assert after.heartbeat_monotonic_ns > before.heartbeat_monotonic_ns
        assert after.heartbeat_wall_ns >= before.heartbeat_wall_ns
        assert after.created_monotonic_ns == before.created_monotonic_ns

    def test_a_heartbeat_tells_what_was_dropped(self, ring: Ring) -> None:
        """Losses are visible from outside, even if nothing was evicted since."""
        ring.lanes[LANE_RUNTIME].append(b"x" * 100_000, 0)
        ring.heartbeat()

        assert [lane.dropped_records for lane in ring.image.header().lanes] == [0, 1]

    def test_facts_that_are_too_long_are_cut(self, ring: Ring) -> None:
        """Whatever a service is called, the segments after the header stay as they are."""
        ring.lanes[LANE_SPANS].append(start_record(1, 100, 0), 0)
        before = list(ring.image.segments(LANE_SPANS))

        ring.write_facts({"service": "x" * 100_000, "odd": "\ud800"})

        facts = ring.image.header().facts
        assert facts["service"].startswith("xxx")
        assert facts["odd"] == "\\ud800"
        assert list(ring.image.segments(LANE_SPANS)) == before

    @pytest.mark.parametrize("torn", [b"\xc1", b"\x91" * 2500, b"\x91\xa1\xff", b"\x01", b"\x90"])
    def test_torn_facts_are_no_facts(self, ring: Ring, torn: bytes) -> None:
        """A reader that comes while facts are written finds none, and does not fail."""
        blob = len(torn).to_bytes(2, "little") + torn
        ring.backing.memory[layout.FACTS_OFFSET : layout.FACTS_OFFSET + len(blob)] = blob

        assert ring.image.header().facts == {}

    def test_the_watermark_is_kept_by_lane(self, ring: Ring) -> None:
        """What is in an incident already is noted for each lane by itself."""
        ring.set_exported(LANE_RUNTIME, 7)

        assert (ring.exported(LANE_SPANS), ring.exported(LANE_RUNTIME)) == (0, 7)


class TestLanes:
    """Two lanes that do not know of each other."""

    def test_a_chatty_lane_never_evicts_the_other(self, ring: Ring) -> None:
        """However much runtime events there are, the spans stay."""
        ring.lanes[LANE_SPANS].append(start_record(1, 100, 0), 0)
        for number in range(100):
            ring.lanes[LANE_RUNTIME].append(start_record(number + 1, 40_000, 0), 0)

        (segment,) = ring.image.segments(LANE_SPANS)
        assert segment.payload == start_record(1, 100, 0)
        assert len(list(ring.image.segments(LANE_RUNTIME))) == SEGMENTS[LANE_RUNTIME]


class TestRequests:
    """Requests of other processes."""

    def test_a_request_is_taken_until_it_is_answered(self, ring: Ring) -> None:
        """Without an answer it is still there; with one it is gone."""
        assert ring.take_request() is None
        put_request(ring, json.dumps({"reason": "deploy"}).encode(), 1)

        assert ring.take_request() == ring.take_request() == {"reason": "deploy"}
        ring.answer_request({"outcome": "opened"})

        assert ring.take_request() is None
        answer = ring.image.sized_json(layout.ANSWER_OFFSET, layout.ANSWER_BYTES)
        assert answer == {"outcome": "opened"}

    @pytest.mark.parametrize(
        "blob",
        [b"", b"{", b"[1]", b"7", b"\xff\xfe", b"[" * 1000, b'"text"', b"x" * 1022],
        ids=["empty", "torn", "list", "number", "no-text", "deep", "text", "long"],
    )
    def test_a_request_that_makes_no_sense_is_an_empty_one(self, ring: Ring, blob: bytes) -> None:
        """It is answered like any other, so that the next one gets its turn."""
        put_request(ring, blob, 1)

        assert ring.take_request() == {}

    def test_a_long_answer_stays_in_its_place(self, ring: Ring) -> None:
        """The bytes after the answer are the facts, and stay."""
        put_request(ring, b"{}", 1)

        ring.answer_request({"outcome": "x" * 5000})

        assert ring.image.header().facts["service"] == "shop"


class TestLettingGo:
    """The end of a ring."""

    def test_a_clean_close_removes_the_file(self, ring: Ring) -> None:
        """Nothing is left to recover."""
        path = ring.backing.path
        assert path is not None

        ring.close(clean=True)

        assert not path.exists()

    def test_an_unclean_close_leaves_the_file(self, ring: Ring) -> None:
        """What was recorded can be read, and the owner is seen to be gone."""
        path = ring.backing.path
        assert path is not None
        ring.lanes[LANE_SPANS].append(start_record(1, 100, 0), 0)

        ring.close(clean=False)

        with RingReader(path) as reader:
            assert not reader.is_owner_alive()
            assert not reader.image.header().is_clean
            assert len(list(reader.image.segments(LANE_SPANS))) == 1

    def test_a_clean_close_is_marked_for_those_who_read_already(self, ring: Ring) -> None:
        """Someone who has the file open sees that the process ended in order."""
        assert ring.backing.path is not None
        with RingReader(ring.backing.path) as reader:
            assert reader.is_owner_alive()
            ring.close(clean=True)

            assert reader.image.header().is_clean
            assert not reader.is_owner_alive()

    def test_a_reader_in_the_middle_does_not_keep_the_file(self, ring: Ring) -> None:
        """A snapshot on another thread delays the unmapping, and nothing else."""
        path = ring.backing.path
        assert path is not None
        in_use = ring.image._view[:10]

        ring.close(clean=True)

        assert not path.exists()
        in_use.release()
        ring.image.release()
        ring._words.release()
        ring.backing.memory.close()

    def test_a_directory_that_vanished_is_no_error(self, ring: Ring) -> None:
        """Someone may clean up before us."""
        path = ring.backing.path
        assert path is not None
        path.unlink()
        path.parent.rmdir()

        ring.close(clean=True)

    def test_records_after_the_end_are_not_an_error(self, ring: Ring) -> None:
        """A thread that was in the middle of a span finds nothing to write to, and goes on."""
        ring.close(clean=True)

        ring.lanes[LANE_SPANS].append(start_record(1, 100, 0), 0)
        ring.lanes[LANE_SPANS].drain()

    def test_a_close_waits_for_a_writer_in_the_middle(self, ring: Ring) -> None:
        """Memory is not taken from under a write that another thread has begun."""
        lane = ring.lanes[LANE_SPANS]
        turn = dict(lane._turn)
        lane._turn.clear()
        closer = threading.Thread(target=lambda: ring.close(Deadline.after(10), clean=False))
        closer.start()
        closer.join(0.05)

        assert closer.is_alive()
        assert lane._memory is not None
        lane._turn.update(turn)
        closer.join()
        assert lane._memory is None
        lane.append(start_record(1, 100, 0), 0)
        lane.drain()
        assert lane.counts().written_records == 0
