"""Append encoded records to one lane of the ring, from any thread, without ever waiting."""

from __future__ import annotations

import mmap
from collections import deque
from typing import Any, Final, NamedTuple

from otel_flight.clock import monotonic_ns, wall_ns
from otel_flight.native import allocate_lock
from otel_flight.records.definitions import Definitions
from otel_flight.ring import layout
from otel_flight.ring.orphaned_lock import OrphanWatch

OVERFLOW_RECORDS: Final = 4096
"""At most this many records wait while another thread writes, or until the ring exists; more are
dropped and counted."""
_MASK: Final = layout.COMMIT_LENGTH_MASK
_ONE: Final = layout.COMMIT_ONE_RECORD
_ONE_DEFINITION: Final = layout.COMMIT_ONE_RECORD + layout.COMMIT_ONE_DEFINITION


class LaneCounts(NamedTuple):
    """What went through a lane since it was made."""

    written_records: int = 0
    evicted_records: int = 0
    evicted_bytes: int = 0
    dropped_records: int = 0
    """How many never reached the lane: the overflow was full, or closed, or no segment is large
    enough for the record."""


class LaneWriter:
    """The writing end of one lane.

    `append` never waits: garbage collection can run inside it and end another span on the same
    thread, where waiting for our own lock would be a deadlock. Whoever does not get the lock leaves
    the record in a bounded overflow, which the next writer or the ticker drains, before anything
    else is written: what one thread records stays in order.

    A signal handler of the host may raise at any call in here, and no count may be wrong after it.
    CPython runs handlers after calls and at backward jumps only; so whatever belongs together, such
    as a commit word and its copy, is stored without a call in between.

    `_lock` guards every field but `_overflow` (a deque: its operations are atomic) and
    `_dropped_records` (a statistic). A new writer is born holding it, so that all records overflow
    until `attach` gives it memory.
    """

    __slots__ = (
        "_acquire",
        "_all_definitions",
        "_base",
        "_commit",
        "_commit_word",
        "_defined",
        "_definitions",
        "_dropped_records",
        "_evicted_bytes",
        "_evicted_records",
        "_first_record",
        "_first_segment",
        "_lane",
        "_lane_words",
        "_lock",
        "_memory",
        "_orphan_watch",
        "_overflow",
        "_overflow_append",
        "_segments",
        "_sequence",
        "_words",
    )

    def __init__(self, lane: int, definitions: Definitions) -> None:
        self._lane = lane
        self._lane_words = layout.lane_word(lane, 0)
        self._definitions = definitions
        self._overflow: deque[tuple[bytes, int]] = deque()
        self._overflow_append = self._overflow.append
        self._defined: set[int] = set()
        self._memory: Any = None
        self._words: Any = None
        self._commit = self._base = self._commit_word = 0
        self._all_definitions = 0
        self._first_segment = self._segments = self._sequence = self._first_record = 0
        self._evicted_records = self._evicted_bytes = self._dropped_records = 0
        self._orphan_watch = OrphanWatch(
            each.__code__
            for each in (LaneWriter.attach, LaneWriter.append, LaneWriter.drain, LaneWriter.detach)
        )
        self._lock = allocate_lock()
        self._acquire = self._lock.acquire
        self._acquire(False)

    def attach(
        self, memory: mmap.mmap, words: memoryview[int], first_segment: int, segments: int
    ) -> None:
        """Give the lane its segments of a fresh, zeroed ring and drain what waited for it."""
        self._memory = memory
        self._words = words
        self._first_segment = first_segment
        self._segments = segments
        words[self._lane_words + layout.L_FIRST_SEGMENT] = first_segment
        words[self._lane_words + layout.L_SEGMENTS] = segments
        self._open_segment()
        self._drain()
        self._lock.release()

    def detach(self) -> None:
        """Release the memory, waiting for a writer in the middle of a record.

        Records that come later wait in the overflow, and are dropped when it is full.
        """
        if self._memory is None:
            return
        self._acquire(True, 1.0)
        self._memory = self._words = None
        self._dropped_records += len(self._overflow)
        self._overflow.clear()

    def disown(self) -> None:
        """Release the memory of a parent process, whose writers do not exist here."""
        self._acquire(False)
        self._memory = self._words = None

    def append(self, data: bytes, reference: int) -> None:
        """Write one record; `reference` is the number of the definition it needs, 0 for none.

        Never waits, never raises but for a ring that was detached in the middle. Any thread,
        garbage collection and signal handlers included.
        """
        if not self._acquire(False):
            if len(self._overflow) < OVERFLOW_RECORDS:
                self._overflow_append((data, reference))
            else:
                self._dropped_records += 1
            return
        try:
            if self._overflow:
                self._drain()
            length = len(data)
            commit = self._commit
            used = commit & _MASK
            if used + length > layout.PAYLOAD_BYTES or reference not in self._defined:
                if not self._make_room(length, reference):
                    return
                commit = self._commit
                used = commit & _MASK
            start = self._base + used
            self._memory[start : start + length] = data
            self._words[self._commit_word] = commit = commit + length + _ONE
            self._commit = commit
        finally:
            self._lock.release()

    def drain(self) -> None:
        """Write what overflowed. Called by the ticker; replaces a lock whose holder is gone.

        A signal handler that raises between taking the lock and entering the `try` leaves it held
        for ever. The commit protocol keeps the lane consistent at every instruction, so once no
        thread is left that could hold the lock a new one takes over.
        """
        if self._acquire(False):
            try:
                self._orphan_watch.reset()
                self._drain()
            finally:
                self._lock.release()
        elif self._memory is not None and self._orphan_watch.is_orphaned(
            (self._sequence, self._commit)
        ):
            self._lock = allocate_lock()
            self._acquire = self._lock.acquire

    def counts(self) -> LaneCounts:
        """Return the lane's totals; reading them races with writers by a record or two."""
        commit = self._commit
        written = self._first_record + layout.committed_records(commit) - self._all_definitions
        return LaneCounts(
            written, self._evicted_records, self._evicted_bytes, self._dropped_records
        )

    def _drain(self) -> None:
        overflow = self._overflow
        while overflow:
            data, reference = overflow[0]
            length = len(data)
            if (
                (self._commit & _MASK) + length > layout.PAYLOAD_BYTES
                or reference not in self._defined
            ) and not self._make_room(length, reference):
                overflow.popleft()
                continue
            start = self._base + (self._commit & _MASK)
            commit = self._commit + length + _ONE
            self._memory[start : start + length] = data
            self._words[self._commit_word] = commit
            self._commit = commit
            overflow.popleft()

    def _make_room(self, length: int, reference: int) -> bool:
        """Ensure that a record of `length` bytes fits and what it refers to is defined before it.

        Returns:
            Whether it fits; the record is counted as dropped when not even an empty segment has
            room for it and its definitions.
        """
        whole = length + self._definition_bytes(reference)
        needed = length if reference in self._defined else whole
        if (self._commit & _MASK) + needed > layout.PAYLOAD_BYTES:
            if whole > layout.PAYLOAD_BYTES:
                self._dropped_records += 1
                return False
            self._open_segment()
        if reference not in self._defined:
            self._define(reference)
        return True

    def _definition_bytes(self, reference: int) -> int:
        definition = self._definitions.definition(reference)
        if definition is None:
            return 0
        parent = definition.parent
        return len(definition.record) + (len(parent.record) if parent is not None else 0)

    def _define(self, reference: int) -> None:
        definition = self._definitions.definition(reference)
        if definition is not None:
            parent = definition.parent
            if parent is not None and parent.number not in self._defined:
                self._put_definition(parent.record)
                self._defined.add(parent.number)
            self._put_definition(definition.record)
        self._defined.add(reference)

    def _put_definition(self, record: bytes) -> None:
        length = len(record)
        start = self._base + (self._commit & _MASK)
        commit = self._commit + length + _ONE_DEFINITION
        self._memory[start : start + length] = record
        self._words[self._commit_word] = commit
        self._commit = commit
        self._all_definitions += 1

    def _open_segment(self) -> None:
        """Seal the current segment and start the next, reusing the oldest when the lane is full."""
        words = self._words
        now = wall_ns()
        now_monotonic = monotonic_ns()
        sequence = self._sequence + 1
        first_record = self._first_record + layout.committed_records(self._commit)
        offset = layout.segment_offset(self._first_segment + (sequence - 1) % self._segments)
        word = offset // layout.WORD
        if self._sequence:
            words[self._commit_word - layout.S_COMMIT + layout.S_SEALED] = now
        if words[word + layout.S_SEQUENCE]:
            self._evict(word)
        words[word + layout.S_COMMIT] = 0
        words[word + layout.S_OPENED] = now
        words[word + layout.S_SEALED] = 0
        words[word + layout.S_LANE] = self._lane
        words[word + layout.S_FIRST_RECORD] = first_record
        words[word + layout.S_OPENED_MONOTONIC] = now_monotonic
        words[word + layout.S_SEQUENCE] = sequence
        words[self._lane_words + layout.L_SEQUENCE] = sequence
        self._defined = {0}
        self._base = offset + layout.SEGMENT_HEADER_BYTES
        self._commit_word = word + layout.S_COMMIT
        self._sequence = sequence
        self._first_record = first_record
        self._commit = 0

    def _evict(self, word: int) -> None:
        """Count the records of the segment at `word` as evicted, and mark it as being reused."""
        words = self._words
        commit = words[word + layout.S_COMMIT]
        records = layout.committed_records(commit) - layout.committed_definitions(commit)
        self._evicted_records += records
        self._evicted_bytes += commit & _MASK
        words[word + layout.S_SEQUENCE] = 0
        words[self._lane_words + layout.L_EVICTED_RECORDS] = self._evicted_records
        words[self._lane_words + layout.L_EVICTED_BYTES] = self._evicted_bytes
