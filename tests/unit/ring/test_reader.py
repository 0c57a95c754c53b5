"""Readers: without a lock, of any process's ring, sound or not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.errors import NotARing
from otel_flight.ring import layout
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS
from otel_flight.ring.reader import RingImage, RingReader
from tests.support.rigs.lane_bench import LaneBench
from tests.support.rigs.recording_rig import RecordingRig, decode_segment


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RecordingRig]:
    """A ring that someone writes into."""
    with RecordingRig(tmp_path / "ring", window_bytes="512KiB") as rig:
        yield rig


def path_of(rig: RecordingRig) -> Path:
    """Return the path of the ring."""
    path = rig.ring.backing.path
    assert path is not None
    return path


def doctor(path: Path, words: dict[int, int]) -> None:
    """Overwrite some words of a file."""
    with path.open("r+b") as file:
        for index, value in words.items():
            file.seek(index * layout.WORD)
            file.write(value.to_bytes(8, "little"))


class TestOpening:
    """What is a ring and what is none."""

    def test_a_ring_is_read_while_it_is_written(self, rig: RecordingRig) -> None:
        """A reader sees what was committed, at once."""
        with RingReader(path_of(rig)) as reader:
            rig.tracer.start_span("work").end()

            (segment,) = reader.image.segments(LANE_SPANS)
            assert [type(record).__name__ for record in decode_segment(segment)] == [
                "ResourceDefinition",
                "ScopeDefinition",
                "SpanStart",
                "Span",
            ]
            assert reader.is_owner_alive()
            assert reader.image.header() == rig.ring.image.header()

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "0 bytes are too few"),
            (b"x" * 70_000, "does not begin with OTFLIGHT"),
            (b"\0" * 70_000, "does not begin with OTFLIGHT"),
            (b"x" * 70_001, "70001 bytes"),
        ],
        ids=["empty", "other", "unfinished", "odd"],
    )
    def test_other_files_are_refused(self, tmp_path: Path, content: bytes, why: str) -> None:
        """Also a ring that is being made just now: its first word is written last."""
        path = tmp_path / "1.ring"
        path.write_bytes(content)

        with pytest.raises(NotARing, match=why):
            RingReader(path)

    def test_what_is_no_file_is_refused(self, tmp_path: Path, rig: RecordingRig) -> None:
        """Missing files, links, pipes, devices and directories neither block nor escape."""
        (tmp_path / "link.ring").symlink_to(path_of(rig))
        os.mkfifo(tmp_path / "pipe.ring")
        (tmp_path / "folder.ring").mkdir()
        for number in range(2000):
            (tmp_path / "folder.ring" / f"{'x' * 100}{number}").touch()

        for name in ("missing", "link.ring", "pipe.ring", "folder.ring"):
            with pytest.raises(NotARing):
                RingReader(tmp_path / name)
        with pytest.raises(NotARing):
            RingReader(Path("/dev/zero"))

    def test_a_newer_format_is_refused(self, tmp_path: Path, rig: RecordingRig) -> None:
        """Its bytes may mean anything; the message says which version it is."""
        copy = tmp_path / "copy.ring"
        copy.write_bytes(path_of(rig).read_bytes())
        doctor(copy, {layout.W_VERSION: 2})

        with pytest.raises(NotARing, match="has version 2, this reader knows 1 only"):
            RingReader(copy)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            (layout.L_SEGMENTS, 0),
            (layout.L_SEGMENTS, 1000),
            (layout.L_SEGMENTS, (1 << 64) - 1),
            (layout.L_FIRST_SEGMENT, 1 << 40),
        ],
    )
    @pytest.mark.parametrize("lane", [LANE_SPANS, LANE_RUNTIME])
    def test_lanes_outside_the_file_are_refused(
        self, tmp_path: Path, rig: RecordingRig, lane: int, field: int, value: int
    ) -> None:
        """A header that promises more than there is cannot be followed."""
        copy = tmp_path / "copy.ring"
        copy.write_bytes(path_of(rig).read_bytes())
        doctor(copy, {layout.lane_word(lane, field): value})

        with pytest.raises(NotARing, match="outside the file"):
            RingReader(copy)

    def test_a_truncated_copy_is_refused(self, tmp_path: Path, rig: RecordingRig) -> None:
        """A copy that was cut off misses a lane."""
        copy = tmp_path / "copy.ring"
        copy.write_bytes(path_of(rig).read_bytes()[: layout.segment_offset(3)])

        with pytest.raises(NotARing, match="outside the file"):
            RingReader(copy)


class TestDoctoredBytes:
    """Words that no writer would leave."""

    @pytest.mark.parametrize("word", range(layout.SEGMENT_HEADER_BYTES // layout.WORD))
    @pytest.mark.parametrize("value", [0, 1, 1 << 17, (1 << 64) - 1])
    def test_any_segment_header_can_be_read(
        self, tmp_path: Path, rig: RecordingRig, word: int, value: int
    ) -> None:
        """A damaged segment costs at most itself."""
        rig.tracer.start_span("work").end()
        copy = tmp_path / "copy.ring"
        copy.write_bytes(path_of(rig).read_bytes())
        doctor(copy, {layout.segment_offset(0) // layout.WORD + word: value})

        with RingReader(copy) as reader:
            segments = list(reader.image.segments(LANE_SPANS))
            assert all(len(each.payload) <= layout.PAYLOAD_BYTES for each in segments)
            reader.image.header()

    def test_a_sequence_from_nowhere_takes_no_time(self, tmp_path: Path, rig: RecordingRig) -> None:
        """However large a number the header names, only as many segments as there are are tried."""
        copy = tmp_path / "copy.ring"
        copy.write_bytes(path_of(rig).read_bytes())
        doctor(copy, {layout.lane_word(LANE_SPANS, layout.L_SEQUENCE): (1 << 64) - 1})

        with RingReader(copy) as reader:
            assert list(reader.image.segments(LANE_SPANS)) == []


class TestOvertaking:
    """Segments that are used again while somebody reads."""

    def test_what_was_overtaken_is_left_out(self) -> None:
        """A reader that is slow gets whole segments and a gap, never a mixture."""
        with LaneBench(segments=3) as bench:
            for number in range(1, 7):
                bench.append(number, 30_000)
            reading = bench.image.segments(LANE_SPANS)
            first = next(reading)

            for number in range(7, 9):
                bench.append(number, 30_000)
            rest = list(reading)

            assert [first.sequence, *(segment.sequence for segment in rest)] == [1, 2, 3]
            for number in range(9, 20):
                bench.append(number, 30_000)
            late = bench.image.segments(LANE_SPANS)
            assert next(late).sequence == 8
            for number in range(20, 40):
                bench.append(number, 30_000)
            assert list(late) == []

    def test_only_newer_segments_are_read_when_asked(self) -> None:
        """The one that was being written is read again, fuller."""
        with LaneBench(segments=5) as bench:
            for number in range(1, 6):
                bench.append(number, 30_000)
            newest = bench.segments()[-1].sequence
            bench.append(6)

            again = list(bench.image.segments(LANE_SPANS, after_sequence=newest - 1))

            assert [segment.records for segment in again] == [2]

    def test_a_segment_being_prepared_is_left_out(self) -> None:
        """Its sequence is zero until its header is whole."""
        with LaneBench(segments=3) as bench:
            bench.append(1)
            word = layout.segment_offset(1) // layout.WORD
            bench.words[word + layout.S_SEQUENCE] = 0

            assert bench.segments() == []

    def test_images_share_the_memory(self) -> None:
        """Any number of readers may look at once, each releasing for itself."""
        with LaneBench() as bench:
            other = RingImage(bench.memory)
            bench.append(1)

            assert list(other.segments(LANE_SPANS)) == bench.segments()
            other.release()
