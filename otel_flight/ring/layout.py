"""The ring's bytes: a header page, then fixed segments, all integers little-endian 64-bit words.

    0                header page (4096 bytes)
        word 0       magic "OTFLIGHT"
             1       format version
             2       file size in bytes
             3       process id
             4, 5    wall and monotonic clock at creation, ns
             6, 7    wall and monotonic clock at the last heartbeat, ns
             8       state: 1 live, 2 closed cleanly
             9       wall clock when SIGTERM came last, or it began to end, ns; 0: never; 1: unknown
            10..17   lane 0 (spans)           first segment, segment count, current sequence,
            18..25   lane 1 (runtime events)  exported-up-to record, evicted records, evicted bytes,
                                              records dropped before they reached the lane,
                                              taken-up-to record, written by another process
            26       request number           written by another process, last of all it writes
            27       request number answered  written by the owner
        byte 224     request: length (2 bytes) and UTF-8 JSON, at most 1022 bytes
        byte 1248    answer:  length (2 bytes) and UTF-8 JSON, at most 254 bytes
        byte 1504    process facts: length (2 bytes) and a msgpack map, at most 2590 bytes
    4096             segment 0, 65536 bytes
        word 0       sequence number in its lane, from 1; 0 while the segment is being reused
             1       commit word: definitions << 34 | records << 17 | payload bytes
             2, 3    wall clock at the segment's opening and sealing, ns (sealing 0: still open)
             4       lane
             5       number of its first record in the lane, from 0
             6       spare
             7       monotonic clock at the segment's opening, ns
        byte 64      payload: msgpack arrays, one record after another
    69632            segment 1 …

Commit protocol: payload bytes first, then the commit word, which carries counts and length in one
aligned store; a definition counts as a record, too. A process killed at any instruction leaves a
file that is complete up to its last commit. A reader copies a segment between two reads of its
sequence and drops it when they differ. Words are stored one by one by the interpreter; on x86-64 a
reader in another process sees them in order, on weaker machines the operations of the GIL order
them.
"""

from __future__ import annotations

from typing import Final

MAGIC: Final = int.from_bytes(b"OTFLIGHT", "little")
FORMAT_VERSION: Final = 1
WORD: Final = 8

HEADER_BYTES: Final = 4096
W_MAGIC, W_VERSION, W_FILE_SIZE, W_PID = 0, 1, 2, 3
W_CREATED_WALL, W_CREATED_MONOTONIC = 4, 5
W_HEARTBEAT_WALL, W_HEARTBEAT_MONOTONIC = 6, 7
W_STATE: Final = 8
STATE_LIVE: Final = 1
STATE_CLEAN: Final = 2

W_TERMINATED: Final = 9
UNNOTICED: Final = 1
"""What stands for the time of a SIGTERM in a process where nobody of us would know of one."""

LANE_SPANS: Final = 0
LANE_RUNTIME: Final = 1
LANES: Final = (LANE_SPANS, LANE_RUNTIME)
LANE_NAMES: Final = ("spans", "runtime")
W_LANES: Final = 10
LANE_WORDS: Final = 8
L_FIRST_SEGMENT, L_SEGMENTS, L_SEQUENCE, L_EXPORTED = 0, 1, 2, 3
L_EVICTED_RECORDS, L_EVICTED_BYTES, L_DROPPED, L_TAKEN = 4, 5, 6, 7

W_REQUEST: Final = 26
W_ANSWERED: Final = 27
REQUEST_OFFSET: Final = 224
REQUEST_BYTES: Final = 1024
ANSWER_OFFSET: Final = 1248
ANSWER_BYTES: Final = 256
FACTS_OFFSET: Final = 1504
FACTS_BYTES: Final = HEADER_BYTES - FACTS_OFFSET

SEGMENT_BYTES: Final = 65536
SEGMENT_HEADER_BYTES: Final = 64
PAYLOAD_BYTES: Final = SEGMENT_BYTES - SEGMENT_HEADER_BYTES
S_SEQUENCE, S_COMMIT, S_OPENED, S_SEALED = 0, 1, 2, 3
S_LANE, S_FIRST_RECORD, S_OPENED_MONOTONIC = 4, 5, 7

MAX_RECORD_BYTES: Final = 48 * 1024
MAX_RESOURCE_BYTES: Final = 12 * 1024
MAX_SCOPE_BYTES: Final = 2 * 1024
"""The longest record and the longest definitions, of a resource or stack and of a scope, fit into
an empty segment together: no record ever waits for room."""

COMMIT_LENGTH_MASK: Final = (1 << 17) - 1
COMMIT_RECORDS_SHIFT: Final = 17
COMMIT_DEFINITIONS_SHIFT: Final = 34
COMMIT_ONE_RECORD: Final = 1 << COMMIT_RECORDS_SHIFT
COMMIT_ONE_DEFINITION: Final = 1 << COMMIT_DEFINITIONS_SHIFT


def committed_records(commit: int) -> int:
    """Return how many records a commit word counts, definitions among them."""
    return commit >> COMMIT_RECORDS_SHIFT & COMMIT_LENGTH_MASK


def committed_definitions(commit: int) -> int:
    """Return how many of a commit word's records are definitions."""
    return commit >> COMMIT_DEFINITIONS_SHIFT


def lane_word(lane: int, field: int) -> int:
    """Return the header word that holds `field` of `lane`."""
    return W_LANES + lane * LANE_WORDS + field


def segment_offset(segment: int) -> int:
    """Return the file offset of a segment."""
    return HEADER_BYTES + segment * SEGMENT_BYTES


def whole_segments(window_bytes: int) -> int:
    """Return the size of the largest file within `window_bytes`, of four segments at least."""
    return segment_offset(max(4, (window_bytes - HEADER_BYTES) // SEGMENT_BYTES))


def segments_for(window_bytes: int, runtime_bytes: int) -> tuple[int, int]:
    """Return how many segments each lane gets so that the file stays within `window_bytes`.

    Each lane has at least two: one being written, one that is kept.
    """
    total = max(4, (window_bytes - HEADER_BYTES) // SEGMENT_BYTES)
    runtime = min(max(2, runtime_bytes // SEGMENT_BYTES), total // 2)
    return total - runtime, runtime
