"""Append encoded records to one lane of the ring, from any thread, without ever waiting."""

from __future__ import annotations

import mmap
from collections import deque
from typing import Any, Final, NamedTuple

from otel_flight.ground.clock import monotonic_ns, wall_ns
from otel_flight.ground.deadline import NOW, Deadline
from otel_flight.ground.native import sleep
from otel_flight.records.definitions import Definitions
from otel_flight.ring import layout
from otel_flight.ring.addition import Addition, addition_of

OVERFLOW_RECORDS: Final = 4096
"""At most this many records wait while another thread writes, or until the ring exists; more are
dropped and counted."""
MOST_AT_ONCE: Final = 64
"""`append` writes at most this many records that wait; the next one, or the ticker, goes on."""
_MOMENT_SECONDS: Final = 0.001
"""`detach` looks each so many seconds whether a writer is in the middle of a record."""
_MASK: Final = layout.COMMIT_LENGTH_MASK
_PAYLOAD_BYTES: Final = layout.PAYLOAD_BYTES
_ONE: Final = layout.COMMIT_ONE_RECORD
_RECORDS: Final = layout.COMMIT_RECORDS_SHIFT
_DEFINITIONS: Final = layout.COMMIT_DEFINITIONS_SHIFT
_TOKEN: Final = 0
"""It is the key of the one item of `LaneWriter._turn`."""


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
    thread, where waiting for our own lock would be a deadlock. Whoever cannot have the turn leaves
    the record in a bounded overflow, which is written first by whoever comes next, or by the
    ticker: what one thread records stays in order.

    What does not work: a lock that is acquired by a call. CPython gives the GIL away after calls
    and at jumps back, so sooner or later the holder of the lock stands there without the GIL, for
    as long as all other threads like, and the overflow is full before it goes on. Hence `_turn`: a
    dict with one item, which a writer deletes, and puts back when the record is committed. Nothing
    is called in between, nor jumped back; so the writer keeps the GIL, no other thread finds the
    turn taken, and no signal handler can raise in the middle. The hot path in C has the GIL all the
    time: it need only look whether the item is there. The limits of this: code in Python that runs
    in between all the same, of a trace function or, up to Python 3.11, of a finalizer, and threads
    without a GIL. The turn excludes those too, and their records wait a little.

    `_turn` guards every field but `_overflow` (a deque: its operations are atomic) and
    `_dropped_records` (a statistic). A new writer is born without the item, so that all records
    wait until `attach` gives it memory.
    """

    __slots__ = (
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
        "_memory",
        "_overflow",
        "_past_definitions",
        "_segments",
        "_sequence",
        "_turn",
        "_words",
    )

    def __init__(self, lane: int, definitions: Definitions) -> None:
        self._lane = lane
        self._lane_words = layout.lane_word(lane, 0)
        self._definitions = definitions
        self._overflow: deque[tuple[bytes, int]] = deque()
        self._turn: dict[int, None] = {}
        self._defined: dict[int, None] = {}
        self._memory: Any = None
        self._words: Any = None
        self._commit = _PAYLOAD_BYTES  # no segment is open: there is no room
        self._base = self._commit_word = 0
        self._first_segment = self._segments = self._sequence = 0
        self._first_record = self._past_definitions = 0
        self._evicted_records = self._evicted_bytes = self._dropped_records = 0

    def attach(
        self, memory: mmap.mmap, words: memoryview[int], first_segment: int, segments: int
    ) -> None:
        """Give the lane its segments of a fresh, zeroed ring and write what waited for it."""
        self._memory = memory
        self._words = words
        self._first_segment = first_segment
        self._segments = segments
        words[self._lane_words + layout.L_FIRST_SEGMENT] = first_segment
        words[self._lane_words + layout.L_SEGMENTS] = segments
        # The first segment is opened as if it had to be sealed before.
        self._commit_word = layout.segment_offset(first_segment) // layout.WORD + layout.S_COMMIT
        self._turn[_TOKEN] = None
        self._open_segment(0)
        self.drain()

    def detach(self, deadline: Deadline = NOW) -> None:
        """Release the memory, waiting until then for a writer in the middle of a record.

        Records that come later wait in the overflow, and are dropped when it is full.
        """
        if self._memory is None:
            return
        while self._turn.pop(_TOKEN, self) is self and not deadline.has_passed:
            sleep(_MOMENT_SECONDS)
        self._memory = self._words = None
        self._dropped_records += len(self._overflow)
        self._overflow.clear()

    def disown(self) -> None:
        """Release the memory of a parent process, whose writers do not exist here."""
        self._turn.clear()
        self._memory = self._words = None

    def append(self, data: bytes, reference: int) -> None:
        """Write one record; `reference` is the number of the definition it needs, 0 for none.

        Never waits, never raises. Any thread, garbage collection and signal handlers included.
        """
        length = len(data)
        commit = self._commit
        used = commit & _MASK
        is_written = False
        if used + length <= _PAYLOAD_BYTES and reference in self._defined and not self._overflow:
            turn = self._turn
            try:
                del turn[_TOKEN]
                try:
                    if self._commit is commit:  # so all of that is still as it was
                        start = self._base + used
                        self._memory[start : start + length] = data
                        self._words[self._commit_word] = commit = commit + length + _ONE
                        self._commit = commit
                        is_written = True
                finally:
                    turn[_TOKEN] = None
            except KeyError:  # it is somebody else's
                pass
        if not is_written:
            self._leave(data, reference)
        elif self._overflow:
            self._drain(MOST_AT_ONCE)

    def drain(self) -> None:
        """Write what waits. The ticker does so, for what no other record came after."""
        self._drain(OVERFLOW_RECORDS)

    def count_dropped(self, records: int) -> None:
        """Count records that were dropped before they came here."""
        self._dropped_records += records

    def counts(self) -> LaneCounts:
        """Return the lane's totals; reading them races with writers by a record or two."""
        commit, first, definitions = self._commit, self._first_record, self._past_definitions
        definitions += layout.committed_definitions(commit)
        return LaneCounts(
            first + layout.committed_records(commit) - definitions,
            self._evicted_records,
            self._evicted_bytes,
            self._dropped_records,
        )

    def _leave(self, data: bytes, reference: int) -> None:
        """Let a record wait behind the others, and write what waits unless another thread does."""
        definition = self._definitions.definition(reference)
        defined_bytes = 0 if definition is None else definition.whole_bytes
        if len(self._overflow) >= OVERFLOW_RECORDS:
            self._drain(MOST_AT_ONCE)
        if len(data) + defined_bytes <= _PAYLOAD_BYTES and len(self._overflow) < OVERFLOW_RECORDS:
            self._overflow.append((data, reference))
        else:
            self._dropped_records += 1
        self._drain(MOST_AT_ONCE)

    def _drain(self, most: int) -> None:
        """Write at most so many of the records that wait. Any number of threads do so together."""
        if not self._turn:
            return
        for _ in range(most):
            try:
                waiting = self._overflow[0]
            except IndexError:
                return
            data, reference = waiting
            sequence = self._sequence
            addition = addition_of(data, reference, self._definitions.definition(reference))
            commit, defined = self._commit, self._defined
            missing = (reference not in defined) + (addition.parent not in defined)
            if (commit & _MASK) + (addition.steps[missing] & _MASK) > _PAYLOAD_BYTES:
                self._open_segment(sequence)
            if not self._write_first(waiting, addition):
                return

    def _write_first(self, waiting: tuple[bytes, int], addition: Addition) -> bool:
        """Write a record if it still is the first that waits, and has room.

        Returns:
            Whether it was our turn.
        """
        reference, parent, data, steps = addition
        turn = self._turn
        try:
            del turn[_TOKEN]
            try:
                defined = self._defined
                missing = (reference not in defined) + (parent not in defined)
                commit = self._commit
                used = commit & _MASK
                end = used + (steps[missing] & _MASK)
                if end <= _PAYLOAD_BYTES and self._overflow and self._overflow[0] is waiting:
                    base = self._base
                    self._memory[base + used : base + end] = data[missing]
                    self._words[self._commit_word] = commit = commit + steps[missing]
                    self._commit = commit
                    defined[parent] = defined[reference] = None
                    del self._overflow[0]
            finally:
                turn[_TOKEN] = None
        except KeyError:
            return False
        return True

    def _open_segment(self, full: int) -> None:
        """Seal segment `full`, if it still is the newest, and start the next.

        That is the oldest one when the lane is full: its records are counted as evicted, and it is
        marked as being reused.
        """
        now, now_monotonic = wall_ns(), monotonic_ns()
        defined: dict[int, None] = {0: None}
        sequence = full + 1
        offset = layout.segment_offset(self._first_segment + full % self._segments)
        word = offset // layout.WORD
        turn = self._turn
        try:
            del turn[_TOKEN]
            try:
                if self._sequence == full:
                    words = self._words
                    commit = self._commit
                    first_record = self._first_record + (commit >> _RECORDS & _MASK)
                    words[self._commit_word - layout.S_COMMIT + layout.S_SEALED] = now
                    evicted = words[word + layout.S_COMMIT]  # 0 in a segment that is new
                    records = evicted >> _RECORDS & _MASK
                    self._evicted_records += records - (evicted >> _DEFINITIONS)
                    self._evicted_bytes += evicted & _MASK
                    words[word + layout.S_SEQUENCE] = 0
                    words[self._lane_words + layout.L_EVICTED_RECORDS] = self._evicted_records
                    words[self._lane_words + layout.L_EVICTED_BYTES] = self._evicted_bytes
                    words[word + layout.S_COMMIT] = 0
                    words[word + layout.S_OPENED] = now
                    words[word + layout.S_SEALED] = 0
                    words[word + layout.S_LANE] = self._lane
                    words[word + layout.S_FIRST_RECORD] = first_record
                    words[word + layout.S_OPENED_MONOTONIC] = now_monotonic
                    words[word + layout.S_SEQUENCE] = sequence
                    words[self._lane_words + layout.L_SEQUENCE] = sequence
                    self._defined = defined
                    self._base = offset + layout.SEGMENT_HEADER_BYTES
                    self._commit_word = word + layout.S_COMMIT
                    self._sequence = sequence
                    self._first_record = first_record
                    self._past_definitions += commit >> _DEFINITIONS
                    self._commit = 0
            finally:
                turn[_TOKEN] = None
        except KeyError:
            pass
