"""Read a ring while it is written: our own, a sibling's, or a dead process's. Takes no lock."""

from __future__ import annotations

import fcntl
import json
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from otel_flight.errors import NotARing
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import open_file
from otel_flight.ring import layout
from otel_flight.ring.file import is_owner_alive


@dataclass(frozen=True)
class Segment:
    """A consistent copy of one segment's committed records."""

    lane: int
    sequence: int
    opened_ns: int
    opened_monotonic_ns: int
    sealed_ns: int
    """When the segment was full, by the wall clock; 0: it was still being written."""
    first_record: int
    records: int
    """How many records the payload holds, definitions included."""
    definitions: int
    payload: bytes

    @property
    def end_record(self) -> int:
        """Number of the record that comes after this segment's last."""
        return self.first_record + self.records


@dataclass(frozen=True)
class LaneHeader:
    """What a ring's header says of one lane."""

    lane: int
    first_segment: int
    segments: int
    sequence: int
    exported_to_record: int
    evicted_records: int
    evicted_bytes: int
    dropped_records: int
    taken_to_record: int

    @property
    def first_new_record(self) -> int:
        """The first record that is in no incident: none of its process, and of no other one."""
        return max(self.exported_to_record, self.taken_to_record)


@dataclass(frozen=True)
class RingHeader:
    """What a ring's header says. Times are nanoseconds."""

    format_version: int
    file_bytes: int
    pid: int
    created_wall_ns: int
    created_monotonic_ns: int
    heartbeat_wall_ns: int
    heartbeat_monotonic_ns: int
    is_clean: bool
    terminated_ns: int
    facts: dict[str, Any]
    lanes: tuple[LaneHeader, ...]


class RingImage:
    """A ring's bytes, to be read. Any number of images may read while the owner writes."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._view = memoryview(memory)
        self._words = self._view.cast("Q")

    def release(self) -> None:
        """Release the memory, so that it can be unmapped."""
        self._words.release()
        self._view.release()

    def header(self) -> RingHeader:
        """Return the header as it stands."""
        words = self._words
        return RingHeader(
            format_version=words[layout.W_VERSION],
            file_bytes=words[layout.W_FILE_SIZE],
            pid=words[layout.W_PID],
            created_wall_ns=words[layout.W_CREATED_WALL],
            created_monotonic_ns=words[layout.W_CREATED_MONOTONIC],
            heartbeat_wall_ns=words[layout.W_HEARTBEAT_WALL],
            heartbeat_monotonic_ns=words[layout.W_HEARTBEAT_MONOTONIC],
            is_clean=words[layout.W_STATE] == layout.STATE_CLEAN,
            terminated_ns=words[layout.W_TERMINATED],
            facts=self._facts(),
            lanes=tuple(self._lane_header(lane) for lane in layout.LANES),
        )

    def segments(self, lane: int, after_sequence: int = 0) -> Iterator[Segment]:
        """Yield copies of the lane's segments newer than `after_sequence`, oldest first.

        A segment that is reused while it is copied is left out: the gap shows in the sequence and
        record numbers.
        """
        header = self._lane_header(lane)
        first = max(header.sequence - header.segments + 1, 1, after_sequence + 1)
        for sequence in range(first, header.sequence + 1):
            segment = self._copy(header, sequence)
            if segment is not None:
                yield segment

    def end_record(self, lane: int) -> int:
        """Return the number of the record that comes after the lane's last; at times one before."""
        header = self._lane_header(lane)
        index = header.first_segment + (header.sequence - 1) % header.segments
        word = layout.segment_offset(index) // layout.WORD
        # In this order: where the segment is reused in between, the number is too low then.
        first_record = self._words[word + layout.S_FIRST_RECORD]
        return first_record + layout.committed_records(self._words[word + layout.S_COMMIT])

    def sized_json(self, offset: int, limit: int) -> Any:
        """Return the JSON value of a length-prefixed field, None when it cannot be read."""
        try:
            return json.loads(self._sized(offset, limit))
        except (ValueError, RecursionError):
            return None

    def word(self, index: int) -> int:
        """Return one header word."""
        return self._words[index]

    def _copy(self, header: LaneHeader, sequence: int) -> Segment | None:
        index = header.first_segment + (sequence - 1) % header.segments
        offset = layout.segment_offset(index)
        word = offset // layout.WORD
        words = self._words
        commit = words[word + layout.S_COMMIT]
        length = min(commit & layout.COMMIT_LENGTH_MASK, layout.PAYLOAD_BYTES)
        start = offset + layout.SEGMENT_HEADER_BYTES
        segment = Segment(
            lane=header.lane,
            sequence=words[word + layout.S_SEQUENCE],
            opened_ns=words[word + layout.S_OPENED],
            opened_monotonic_ns=words[word + layout.S_OPENED_MONOTONIC],
            sealed_ns=words[word + layout.S_SEALED],
            first_record=words[word + layout.S_FIRST_RECORD],
            records=layout.committed_records(commit),
            definitions=layout.committed_definitions(commit),
            payload=bytes(self._view[start : start + length]),
        )
        if segment.sequence != sequence or words[word + layout.S_SEQUENCE] != sequence:
            return None
        return segment

    def _lane_header(self, lane: int) -> LaneHeader:
        words = self._words
        return LaneHeader(
            lane, *(words[layout.lane_word(lane, field)] for field in range(layout.L_TAKEN + 1))
        )

    def _sized(self, offset: int, limit: int) -> bytes:
        length = int.from_bytes(self._view[offset : offset + 2], "little")
        return bytes(self._view[offset + 2 : offset + 2 + min(length, limit - 2)])

    def _facts(self) -> dict[str, Any]:
        try:
            facts = msgspec.msgpack.decode(self._sized(layout.FACTS_OFFSET, layout.FACTS_BYTES))
        except (msgspec.MsgspecError, ValueError, RecursionError):  # being written just now
            return {}
        is_whole = isinstance(facts, list) and bool(facts) and isinstance(facts[0], dict)
        return facts[0] if is_whole else {}


class RingReader:
    """A ring file opened for reading, by any process of the same user.

    Raises:
        NotARing: the file is missing, too short, of another format, or not ours to read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = open_file(path)
        except OSError as error:
            raise NotARing(path, error.strerror or str(error)) from error
        try:
            self._memory = self._map()
        except BaseException:
            posix.close(self._descriptor)
            raise
        self.image = RingImage(self._memory)

    def _map(self) -> mmap.mmap:
        size = posix.fstat(self._descriptor).st_size
        if size < layout.HEADER_BYTES + layout.SEGMENT_BYTES or size % layout.WORD:
            raise NotARing(self.path, f"{size} bytes are too few")
        try:
            memory = mmap.mmap(self._descriptor, size, access=mmap.ACCESS_READ)
        except OSError as error:
            raise NotARing(self.path, error.strerror or str(error)) from error
        problem = _problem(memory[: layout.HEADER_BYTES], size)
        if problem:
            memory.close()
            raise NotARing(self.path, problem)
        return memory

    def is_owner_alive(self) -> bool:
        """Tell whether the process that writes this ring still runs."""
        return is_owner_alive(self._descriptor)

    def claim(self) -> bool:
        """Hold the ring of a dead process until `close`; return whether nobody else does."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def is_named(self, path: Path) -> bool:
        """Return whether a path still leads to this file."""
        try:
            status, named = posix.fstat(self._descriptor), path.lstat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == (named.st_dev, named.st_ino)

    def close(self) -> None:
        """Unmap and close the file."""
        self.image.release()
        self._memory.close()
        posix.close(self._descriptor)

    def __enter__(self) -> RingReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _problem(header: bytes, size: int) -> str:
    """Return why a file with this header cannot be read, empty when it can."""
    with memoryview(header).cast("Q") as words:
        if words[layout.W_MAGIC] != layout.MAGIC:
            return "it does not begin with OTFLIGHT"
        if words[layout.W_VERSION] != layout.FORMAT_VERSION:
            return (
                f"its format has version {words[layout.W_VERSION]}, this reader knows "
                f"{layout.FORMAT_VERSION} only"
            )
        for lane in layout.LANES:
            first = words[layout.lane_word(lane, layout.L_FIRST_SEGMENT)]
            count = words[layout.lane_word(lane, layout.L_SEGMENTS)]
            if count == 0 or layout.segment_offset(first + count) > size:
                return f"its lane {lane} lies outside the file"
    return ""
