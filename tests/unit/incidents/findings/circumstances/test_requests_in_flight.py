"""A pile-up is told from a busy service by what was usual before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.findings.circumstances.requests_in_flight import find_requests_in_flight
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def steady_load(builder: IncidentBuilder, until_ms: int, at_once: int = 1) -> None:
    """Record requests of 100 ms, `at_once` of them at any time."""
    for start in range(0, until_ms, 100):
        for _ in range(at_once):
            builder.request("GET /items", start, start + 100)


def find(builder: IncidentBuilder, *causes: Cause, closed_ms: float = 14_000) -> Finding | None:
    """Return what the rule says of an incident with these causes."""
    return find_requests_in_flight(evidence_of(builder.incident(*causes, closed_ms=closed_ms)))


def test_a_pile_up_is_counted_by_name(builder: IncidentBuilder) -> None:
    """Twelve requests at once, where one was usual, are counted and named."""
    steady_load(builder, 10_000)
    root = builder.request("GET /report", 10_000, 12_000)
    for _ in range(9):
        builder.request("GET /items", 11_000, 13_000)
    for _ in range(3):
        builder.span("POST /cart", 11_500, None)

    finding = find(builder, builder.slow(root, 12_000))

    assert finding is not None
    assert finding.summary == (
        "12 other requests and jobs were open at the trigger, against 1.0 on average before: "
        "9 × `GET /items`, 3 × `POST /cart`"
    )
    assert finding.evidence["open_at_trigger"] == 12


def test_it_needs_no_trigger_span(builder: IncidentBuilder) -> None:
    """A trigger from outside, which belongs to no span, can find a pile-up too."""
    steady_load(builder, 20_000)
    for _ in range(12):
        builder.request("GET /items", 12_000, 23_000)

    finding = find(builder, builder.cause("external", "health check failed", None, 21_000))

    assert finding is not None
    assert finding.summary.startswith("12 other requests were open at the trigger, against 1.0")


def test_silent_when_it_is_always_so(builder: IncidentBuilder) -> None:
    """A service that always has twelve requests open has twelve at the trigger as well."""
    steady_load(builder, 13_000, at_once=12)
    root = builder.request("GET /report", 10_000, 12_000)

    assert find(builder, builder.slow(root, 12_000)) is None


def test_silent_when_it_was_often_so_before(builder: IncidentBuilder) -> None:
    """Bursts that are part of the window's ordinary life are not unusual, far above average."""
    for start in range(0, 10_000, 1000):
        for _ in range(12):
            builder.request("GET /items", start, start + 100)
    root = builder.request("GET /report", 10_000, 12_000)
    for _ in range(12):
        builder.request("GET /items", 11_000, 13_000)

    assert find(builder, builder.slow(root, 12_000)) is None


def test_silent_for_a_few(builder: IncidentBuilder) -> None:
    """Three where a tenth was usual is chance."""
    for start in range(0, 10_000, 500):
        builder.request("GET /items", start, start + 50)
    root = builder.request("GET /report", 10_000, 12_000)
    for _ in range(3):
        builder.request("GET /items", 11_000, 13_000)

    assert find(builder, builder.slow(root, 12_000)) is None


def test_silent_when_the_window_is_too_short_to_compare(builder: IncidentBuilder) -> None:
    """A process that has just started has no earlier time to compare with."""
    steady_load(builder, 3000)
    root = builder.request("GET /report", 3000, 5000)
    for _ in range(12):
        builder.request("GET /items", 4000, 6000)

    assert find(builder, builder.slow(root, 5000), closed_ms=7000) is None


def test_silent_when_hardly_anything_came_before(builder: IncidentBuilder) -> None:
    """The first load after a quiet time is not called a pile-up."""
    builder.request("GET /health", 100, 101)
    root = builder.request("GET /report", 10_000, 12_000)
    for _ in range(12):
        builder.request("GET /items", 11_000, 13_000)

    assert find(builder, builder.slow(root, 12_000)) is None
