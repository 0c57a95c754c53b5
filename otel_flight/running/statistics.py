"""What the recorder tells about itself: one frozen value, put together when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_flight.delivery.statistics import DeliveryStatistics
from otel_flight.ground.guard import NotedError
from otel_flight.recording.session import RecordingSession
from otel_flight.ring.lane_writer import LaneCounts
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS


@dataclass(frozen=True)
class Statistics:
    """Totals since the recorder was started in this process.

    Attributes:
        is_recording: whether spans are recorded.
        ring_path: the ring's file; empty for anonymous memory, or when stopped.
        window_bytes: size of the ring, which never changes.
        window_seconds: how far back the span lane reaches now.
        spans: the span lane: written, evicted, dropped records.
        runtime: the same of the runtime lane.
        open_spans: spans open now.
        open_spans_evicted: given up because too many were open.
        converted_values: values msgpack could not hold, kept as text.
        cut_records: records over the limit, with strings cut.
        firings: how many firings had which outcome, by trigger and outcome (`opened`, `joined`,
            `cooldown`, `backoff`, `budget`).
        repeated_firings: the same cause again before the ticker looked.
        dropped_firings: too many different causes before the ticker looked.
        incidents_written: incidents that reached the spool.
        incidents_unspooled: incidents that could not be written, and were kept in memory to be sent
            from there, or written later.
        incidents_failed: incidents that could not be kept at all; their budget was given back.
        delivery: what was delivered of incidents' spans.
        log_delivery: the same for log records that go to a logs endpoint, counted as its spans.
        sources: what the sources of runtime events count, by the source's name and the count's:
            `sources["gc"]["collections.2"]`.
        errors: what went wrong inside the recorder and was kept from the host, by place.
    """

    is_recording: bool = False
    ring_path: str = ""
    window_bytes: int = 0
    window_seconds: float = 0.0
    spans: LaneCounts = field(default_factory=LaneCounts)
    runtime: LaneCounts = field(default_factory=LaneCounts)
    open_spans: int = 0
    open_spans_evicted: int = 0
    converted_values: int = 0
    cut_records: int = 0
    firings: dict[tuple[str, str], int] = field(default_factory=dict)
    repeated_firings: int = 0
    dropped_firings: int = 0
    incidents_written: int = 0
    incidents_unspooled: int = 0
    incidents_failed: int = 0
    delivery: DeliveryStatistics = field(default_factory=DeliveryStatistics)
    log_delivery: DeliveryStatistics = field(default_factory=DeliveryStatistics)
    sources: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    errors: tuple[NotedError, ...] = ()

    @classmethod
    def of_session(cls, session: RecordingSession, **others: Any) -> Statistics:
        """Return the totals of a session, and the other ones as they are given."""
        ring, open_spans, encoder = session.ring, session.open_spans, session.encoder
        path = ring.backing.path if ring is not None else None
        return cls(
            ring_path=str(path) if path is not None else "",
            window_bytes=len(ring.backing.memory) if ring is not None else 0,
            window_seconds=session.reach_seconds(),
            spans=session.lanes[LANE_SPANS].counts(),
            runtime=session.lanes[LANE_RUNTIME].counts(),
            open_spans=len(open_spans.spans),
            open_spans_evicted=open_spans.evicted,
            converted_values=encoder.converted,
            cut_records=encoder.cut_records,
            **others,
        )
