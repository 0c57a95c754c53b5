"""All that records during one life of a ring: made anew at every start, in every forked child."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from otel_flight.ground.clock import monotonic_ns, wall_ns
from otel_flight.ground.deadline import NOW, Deadline
from otel_flight.ground.native import getpid
from otel_flight.interpreter.concurrency.tasks import current_task_reference
from otel_flight.recording.encoding.compiled import IS_AVAILABLE, SpanWriters, span_writers
from otel_flight.recording.encoding.fast_encoder import plain_writer, span_encoder
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.recording.encoding.stack_table import StackTable
from otel_flight.recording.light.choice import light_tracer_type
from otel_flight.recording.lost_ends import LostEnds
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.recording.runtime_events import RuntimeEvents
from otel_flight.redaction.redactor import Redactor
from otel_flight.ring import layout
from otel_flight.ring.file import RING_SUFFIX, ring_directories
from otel_flight.ring.lane_writer import LaneWriter
from otel_flight.ring.placement import Placed, place_ring
from otel_flight.ring.ring import Ring
from otel_flight.settings.fields import CoreSettings


def redactor_for(settings: CoreSettings) -> Redactor | None:
    """Return what takes secrets out of what is recorded; None: nothing does."""
    if not settings.redact:
        return None
    return Redactor(settings.redact_names, settings.redact_allow, is_compiled=settings.compiled)


class RecordingSession:
    """Lanes, encoder and open spans, ready at once; the ring when `open_ring` has made it.

    Until then records wait in the lanes' bounded overflow.
    """

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self.pid = getpid()
        self.redactor = redactor_for(settings)
        self.scopes = ScopeTable(self.redactor)
        self.lanes = (
            LaneWriter(layout.LANE_SPANS, self.scopes),
            LaneWriter(layout.LANE_RUNTIME, stacks := StackTable()),
        )
        self.runtime = RuntimeEvents(
            self.lanes[layout.LANE_RUNTIME], stacks, settings.record_bytes, self.redactor
        )
        self.encoder = span_encoder(self.scopes, settings.record_bytes, self.redactor)
        self.open_spans = OpenSpans(settings.open_spans)
        self._lost_ends = LostEnds(self.open_spans)
        self.end_again: Callable[[Any, int], None] | None = None  # of a span processor
        self.current_task_reference = current_task_reference
        self.light_tracer = light_tracer_type(settings.light_spans, is_compiled=settings.compiled)
        self.writers: SpanWriters | None = None
        telltales = None if self.redactor is None else self.redactor.compiled
        can_leave = self.redactor is None or telltales is not None
        if settings.compiled and IS_AVAILABLE and can_leave:
            lane = self.lanes[layout.LANE_SPANS]
            self.writers = span_writers(lane, self.scopes, settings.record_bytes, telltales)
            self.write_light = self.writers.write
        else:
            self.write_light = plain_writer(self.encoder, self.lanes[layout.LANE_SPANS])
        self.ring: Ring | None = None

    def open_ring(self, facts: Mapping[str, Any]) -> Placed:
        """Make the ring and let the lanes write into it.

        Returns:
            Where it is, and what stood in the way of a better place or a larger ring.
        """
        settings = self._settings
        named = settings.ring_directory
        placed = place_ring(
            ring_directories(Path(named) if named else None),
            f"{self.pid}-{secrets.token_hex(4)}{RING_SUFFIX}",
            layout.whole_segments(settings.window_bytes),
        )
        window_bytes, runtime_bytes = settings.window_bytes, settings.runtime_lane_bytes
        if placed.shortage:
            size_bytes = len(placed.backing.memory)
            window_bytes, runtime_bytes = size_bytes, runtime_bytes * size_bytes // window_bytes
        segments = layout.segments_for(window_bytes, runtime_bytes)
        self.ring = Ring(placed.backing, self.lanes, segments, facts)
        return placed

    @property
    def ring_path(self) -> Path | None:
        """Where the ring's file is; None when there is none."""
        return None if self.ring is None else self.ring.backing.path

    def checkpoint_open_spans(self) -> None:
        """Record spans open for more than a tick, so that a killed process still shows them."""
        if self.end_again is not None:
            self._lost_ends.look(self.end_again)
        self.open_spans.bound()
        for span, thread_id in self.open_spans.take_long_open():
            self.lanes[layout.LANE_SPANS].append(*self.encoder.encode_checkpoint(span, thread_id))

    def drain(self) -> None:
        """Write what overflowed while a lane was busy."""
        for lane in self.lanes:
            lane.drain()

    def count_dropped(self, notes: int) -> None:
        """Count what spans did before there was a session, as far as that was not kept."""
        self.lanes[layout.LANE_SPANS].count_dropped(notes)

    def heartbeat(self) -> None:
        """Note in the ring's header that this process lives."""
        if self.ring is not None:
            self.ring.heartbeat()

    def note_end(self) -> None:
        """Note in the ring's header that this process ends, and does not die."""
        if self.ring is not None:
            self.ring.note_termination(wall_ns())

    def reach_seconds(self) -> float:
        """Return how far back the span lane reaches now."""
        oldest = next(self.ring.image.segments(layout.LANE_SPANS), None) if self.ring else None
        return 0.0 if oldest is None else (monotonic_ns() - oldest.opened_monotonic_ns) / 1e9

    def close(self, deadline: Deadline = NOW, *, clean: bool = True) -> None:
        """Close the ring and remove it; if not `clean`, leave it as a process that was killed.

        Args:
            deadline: until when to wait for who writes into it.
            clean: whether all that is in it was finished.
        """
        if self.ring is not None:
            self.drain()
            self.ring.close(deadline, clean=clean)
            self.ring = None

    def abandon(self) -> None:
        """Release the parent's ring, in a forked child."""
        ring, self.ring = self.ring, None
        if ring is not None:
            ring.abandon()
