"""Record spans without a session and without a ring, to see what is recorded of them in C."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from typing import Any, Final

from otel_flight.ground.guard import Guard
from otel_flight.recording.encoding.compiled import span_writers
from otel_flight.recording.encoding.fast_encoder import span_encoder
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.recording.first_spans import FirstSpans
from otel_flight.recording.span_processor import RecordingSpanProcessor, unwatched
from otel_flight.ring import layout
from otel_flight.ring.lane_writer import LaneWriter

_SEGMENTS: Final = 2


class LaneRecorder(RecordingSpanProcessor):
    """Records spans into a lane of its own, as far as they are ordinary ones and recorded in C.

    Attributes:
        left: how many spans were left to the Python code when they ended.
    """

    def __init__(self) -> None:
        super().__init__(FirstSpans(lambda: None), Guard())
        self._scopes = ScopeTable()
        self._encoder = span_encoder(self._scopes, layout.MAX_RECORD_BYTES)
        self._lane = LaneWriter(layout.LANE_SPANS, self._scopes)
        self._memory = mmap.mmap(-1, layout.segment_offset(_SEGMENTS))
        self._lane.attach(self._memory, memoryview(self._memory).cast("Q"), 0, _SEGMENTS)
        self._open, self._roots, self._silent = {}, {}, {}
        self._write_light = span_writers(self._lane, self._scopes, layout.MAX_RECORD_BYTES).write
        self._root_end = unwatched
        self.is_recording = True
        self.left = 0

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Note it as open."""
        self._open[span._context[1]] = span

    def on_end(self, span: Any) -> None:
        """Record it."""
        self.left += 1
        self._open.pop(span._context[1], None)
        self._lane.append(*self._encoder.encode_end(span))

    on_light_end = on_end

    @property
    def count(self) -> int:
        """How many spans ended."""
        return self._lane.counts().written_records

    def has_recorded(self, spans: Iterable[Any]) -> bool:
        """Return whether these spans, and no others after them, were the last to be recorded."""
        records = b"".join(self._encoder.encode_end(span)[0] for span in spans)
        lane = self._lane
        end = lane._base + (lane._commit & layout.COMMIT_LENGTH_MASK)
        return self._memory[end - len(records) : end] == records
