"""A lane of the ring by itself, between two segments that it must never touch."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from typing_extensions import Self

from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.records.records import (
    Record,
    Span,
    SpanStart,
)
from otel_flight.ring import layout
from otel_flight.ring.lane_writer import LaneWriter
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import LaneHeader, RingImage, Segment
from tests.support.rigs.recording_rig import decode_segment

_FIRST = 1
"""Segment 0 belongs to nobody, and so does the last one."""


class LaneBench:
    """One lane with its reader.

    Args:
        segments: how many the lane has.
        is_attached: otherwise records wait until `attach` is called.
        file: its descriptor, for a lane that several processes see; None: this one alone.
    """

    def __init__(
        self, segments: int = 3, *, is_attached: bool = True, file: int | None = None
    ) -> None:
        self.segment_count = segments
        size_bytes = layout.segment_offset(segments + 2)
        if file is not None:
            os.truncate(file, size_bytes)
        self.memory = mmap.mmap(-1 if file is None else file, size_bytes)
        self.words = memoryview(self.memory).cast("Q")
        self.image = RingImage(self.memory)
        self.scopes = ScopeTable()
        self.lane = LaneWriter(LANE_SPANS, self.scopes)
        self._resource = Resource({"service.name": "bench"})
        self._held: list[object] = []
        if is_attached:
            self.attach()

    def attach(self) -> None:
        """Give the lane its segments."""
        self.lane.attach(self.memory, self.words, _FIRST, self.segment_count)

    def new_scope(self, name: str, resource: Resource | None = None) -> int:
        """Return the number of a new scope."""
        scope = InstrumentationScope(name, "1.0")
        self._held.append(scope)
        return self.scopes.add(scope, resource or self._resource).number

    def append(self, number: int, size: int = 100, scope: int = 0) -> None:
        """Append a record that `numbers` will show again."""
        self.lane.append(start_record(number, size, scope), scope)

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Have the turn meanwhile, as a thread without a GIL has that is in the middle."""
        (token,) = self.lane._turn
        del self.lane._turn[token]
        yield
        self.lane._turn[token] = None

    def segments(self) -> list[Segment]:
        """Return copies of the segments, oldest first."""
        return list(self.image.segments(LANE_SPANS))

    def records(self) -> list[Record]:
        """Return all records held, definitions included."""
        return [record for segment in self.segments() for record in decode_segment(segment)]

    def numbers(self) -> list[int]:
        """Return the numbers of the records held, oldest first."""
        return [record.span_id for record in self.records() if isinstance(record, Span | SpanStart)]

    def header(self) -> LaneHeader:
        """Return what the ring's header says of the lane."""
        return self.image.header().lanes[LANE_SPANS]

    def is_within_bounds(self) -> bool:
        """Tell whether the bytes before and after the lane are as they were."""
        before = self.memory[layout.segment_offset(0) : layout.segment_offset(_FIRST)]
        after = self.memory[layout.segment_offset(_FIRST + self.segment_count) :]
        return not any(before) and not any(after)

    def close(self) -> None:
        """Unmap the memory."""
        self.lane.detach()
        self.image.release()
        self.words.release()
        self.memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def start_record(number: int, size: int, scope: int) -> bytes:
    """Return the record of a started span with `number` for its id, of exactly `size` bytes."""
    start = SpanStart(
        trace_id_high=0,
        trace_id_low=1,
        span_id=number,
        parent_span_id=0,
        flags=0,
        scope=scope,
        name="",
        kind=0,
        start_ns=0,
    )
    start.name = "x" * max(0, size - len(msgspec.msgpack.encode(start)))
    start.name = start.name[: len(start.name) - (len(msgspec.msgpack.encode(start)) - size)]
    return msgspec.msgpack.encode(start)
