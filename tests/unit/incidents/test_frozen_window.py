"""Which part of the ring belongs to an incident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.ground.clock import ClockPair
from otel_flight.incidents.frozen_window import FrozenWindow
from otel_flight.incidents.window import Window
from otel_flight.ring import layout
from otel_flight.ring.ring import Ring
from tests.support.incidents.incident_builder import IncidentBuilder

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a recorder of spans with made-up times, in a small ring."""
    with IncidentBuilder(own_environment, window_bytes=512 * 1024) as builder:
        yield builder


def ring_of(builder: IncidentBuilder) -> Ring:
    """Return the builder's ring."""
    return builder._ring


def doctor(ring: Ring, sequence: int, *, opened_ns: int, monotonic_ns: int) -> None:
    """Say in a segment's header that it was opened at another time."""
    header = ring.image.header().lanes[layout.LANE_SPANS]
    word = layout.segment_offset((sequence - 1) % header.segments) // layout.WORD
    ring._words[word + layout.S_OPENED] = opened_ns
    ring._words[word + layout.S_OPENED_MONOTONIC] = monotonic_ns


def fill_segments(builder: IncidentBuilder, segments: int) -> None:
    """Record until so many segments of the span lane were begun."""
    lane = layout.LANE_SPANS
    while ring_of(builder).image.header().lanes[lane].sequence < segments:
        builder.request("GET /", 0, 1)


def test_segments_older_than_the_window_are_left_out(builder: IncidentBuilder) -> None:
    """A segment goes when the one after it was opened before the window began."""
    fill_segments(builder, 3)
    now = ClockPair.now()
    for sequence, age_seconds in ((1, 300), (2, 200), (3, 30)):
        age_ns = age_seconds * 10**9
        doctor(
            ring_of(builder),
            sequence,
            opened_ns=now.wall_ns - age_ns,
            monotonic_ns=now.monotonic_ns - age_ns,
        )

    frozen = FrozenWindow(ring_of(builder).image, now, 60.0)

    spans = [s for s in frozen.segments() if s.segment.lane == layout.LANE_SPANS]
    assert [item.segment.sequence for item in spans] == [2, 3]
    coverage = frozen.coverage(layout.LANE_SPANS, now.wall_ns)
    assert coverage.is_complete
    assert coverage.start_ns == coverage.requested_start_ns


@pytest.mark.parametrize("jump_hours", [-5, 0, 5])
def test_a_wall_clock_that_jumped_loses_nothing(builder: IncidentBuilder, jump_hours: int) -> None:
    """Age goes by the monotonic clock: spans stay although their times look hours old or new."""
    builder.request("GET /", 0, 1)
    header = ring_of(builder).image.header()
    end_ns = next(
        Window(FrozenWindow(ring_of(builder).image, ClockPair.now(), 1e9).segments()).spans()
    )
    opened_monotonic = header.created_monotonic_ns
    doctor(
        ring_of(builder), 1, opened_ns=end_ns.record.end_ns - 10**9, monotonic_ns=opened_monotonic
    )
    moment = ClockPair(
        end_ns.record.end_ns + 10**9 + jump_hours * HOUR_NS, opened_monotonic + 2 * 10**9
    )

    window = Window(FrozenWindow(ring_of(builder).image, moment, 60.0).segments())

    assert [span.record.name for span in window.spans()] == ["GET /"]


def test_records_older_than_the_window_in_a_young_segment_are_left_out(
    builder: IncidentBuilder,
) -> None:
    """A quiet service has hours in one segment; what the marks say holds for each record."""
    builder.request("GET /old", 0, 1)
    image = ring_of(builder).image
    first_records = {layout.LANE_SPANS: image.end_record(layout.LANE_SPANS)}
    builder.request("GET /new", 0, 1)

    frozen = FrozenWindow(image, ClockPair.now(), 60.0, first_records=first_records)

    window = Window(frozen.segments())
    assert [span.record.name for span in window.spans()] == ["GET /new"]
    assert [start.name for start in window.starts()] == ["GET /new"]


def test_growing_takes_a_half_full_segment_again(builder: IncidentBuilder) -> None:
    """What was written into the newest segment after the freeze is added, nothing twice."""
    builder.request("GET /1", 0, 1)
    frozen = FrozenWindow(ring_of(builder).image, ClockPair.now(), 1e9)
    before = frozen.end_records()[layout.LANE_SPANS]
    builder.request("GET /2", 0, 1)
    frozen.grow(ring_of(builder).image)

    window = Window(frozen.segments())
    assert [span.record.name for span in window.spans()] == ["GET /1", "GET /2"]
    assert frozen.end_records()[layout.LANE_SPANS] == before + 2
    assert frozen.missing_records() == 0


def test_a_window_cut_short_by_the_byte_cap_says_so(builder: IncidentBuilder) -> None:
    """When the oldest segment is younger than what was asked for, coverage is not complete."""
    lane = ring_of(builder).image.header().lanes[layout.LANE_SPANS]
    fill_segments(builder, lane.segments + 1)

    frozen = FrozenWindow(ring_of(builder).image, ClockPair.now(), 3600.0)

    coverage = frozen.coverage(layout.LANE_SPANS, 0)
    assert not coverage.is_complete
    assert coverage.start_ns > coverage.requested_start_ns
    assert coverage.requested_seconds == pytest.approx(3600.0)


def test_others_can_run_while_segments_are_copied(own_environment: Path) -> None:
    """Copying a full window at a stretch would hold up the application for ten milliseconds."""
    with IncidentBuilder(own_environment, window_bytes=2 * 1024 * 1024) as builder:
        fill_segments(builder, 40)
        pauses: list[None] = []

        frozen = FrozenWindow(
            ring_of(builder).image, ClockPair.now(), 1e9, lambda: pauses.append(None)
        )

    spans = [s for s in frozen.segments() if s.segment.lane == layout.LANE_SPANS]
    assert len(spans) >= 16
    assert len(pauses) == len(spans) // 8
