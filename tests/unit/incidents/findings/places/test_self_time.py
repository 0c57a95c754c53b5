"""Time that no child explains is said to be just that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.findings.places.self_time import find_self_time
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place, sample


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def find(builder: IncidentBuilder, cause: Cause) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_self_time(evidence_of(builder.incident(cause, closed_ms=20_000)))


def test_time_between_children_is_measured(builder: IncidentBuilder) -> None:
    """Overlapping children are counted once, and the rest is the span's own time."""
    root = builder.open("GET /report", 0)
    builder.span("select", 100, 300, root)
    builder.span("select", 200, 400, root)
    builder.end(root, 2000)

    finding = find(builder, builder.slow(root, 2000))

    assert finding is not None
    assert "1.7s of the 2s of `GET /report` (85%) passed outside" in finding.summary
    assert finding.explained_share == pytest.approx(0.85)


def test_silent_when_children_cover_the_time(builder: IncidentBuilder) -> None:
    """Children that cover most of the time leave nothing to say."""
    root = builder.open("GET /report", 0)
    builder.span("select", 100, 1000, root)
    builder.end(root, 2000)

    assert find(builder, builder.slow(root, 2000)) is None


def test_silent_without_any_child(builder: IncidentBuilder) -> None:
    """A span with nothing inside spends all its time in itself, always: no finding."""
    root = builder.span("GET /report", 0, 2000)

    assert find(builder, builder.slow(root, 2000)) is None


def test_silent_when_the_cause_is_not_slowness(builder: IncidentBuilder) -> None:
    """A failure does not ask where time went."""
    root = builder.open("GET /report", 0)
    builder.span("select", 1, 2, root)
    builder.end(root, 2000, error="no")

    assert find(builder, builder.failed(root, 2000)) is None


def test_watching_for_the_client_to_leave_is_no_work(builder: IncidentBuilder) -> None:
    """The instrumentation of ASGI has a span for it, as long as a response that is streamed."""
    root = builder.open("GET /export", 0)
    attributes = {"asgi.event.type": "http.disconnect"}
    builder.span("GET /export http receive", 1, 1999, root, attributes=attributes)
    builder.end(root, 2000)

    finding = find(builder, builder.slow(root, 2000))

    assert finding is not None
    assert finding.explained_share == 1


def test_silent_where_samples_name_a_function(builder: IncidentBuilder) -> None:
    """What it did there says more than that no span did."""
    root = builder.open("GET /report", 0)
    builder.span("select", 100, 300, root)
    for moment in range(400, 1_600, 100):
        sample(builder, root, moment, place("add_up"))
    builder.end(root, 2000)

    assert find(builder, builder.slow(root, 2000)) is None
