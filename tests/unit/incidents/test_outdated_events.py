"""Events that were recorded while they went on, and what their last record makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.delivery.incident_trace.runtime_lanes import events_by_source
from otel_flight.names.attributes import ONGOING
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder, at


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def stall(
    builder: IncidentBuilder, start_ms: float, end_ms: float, *, ongoing: bool, thread_id: int = 7
) -> None:
    """Record a stall that had ended, or had not."""
    builder.event(
        "event_loop",
        "event loop blocked",
        start_ms,
        end_ms,
        thread_id=thread_id,
        attributes={ONGOING: True} if ongoing else {},
    )


def test_only_the_last_record_of_each_stall_counts(builder: IncidentBuilder) -> None:
    """For rules and for lanes alike; a stall that never ended keeps what was known last."""
    for end_ms in (200, 300, 450):
        stall(builder, 100, end_ms, ongoing=True)
    stall(builder, 100, 500, ongoing=False)
    stall(builder, 100, 220, ongoing=True, thread_id=8)
    for end_ms in (1_100, 1_400):
        stall(builder, 1_000, end_ms, ongoing=True)
    stall(builder, 2_000, 2_100, ongoing=False)
    incident = builder.incident(closed_ms=3_000)

    for found in (
        evidence_of(incident).events("event_loop"),
        events_by_source(incident.window)["event_loop"],
    ):
        assert [(each.record.start_ns, each.record.end_ns) for each in found] == [
            (at(100), at(500)),
            (at(100), at(220)),
            (at(1_000), at(1_400)),
            (at(2_000), at(2_100)),
        ]
