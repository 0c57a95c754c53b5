"""A trigger that has not ended, and where it hangs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.findings.circumstances.unfinished import find_unfinished
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def find(builder: IncidentBuilder, *causes: Cause) -> Finding | None:
    """Return what the rule says of an incident with these causes."""
    return find_unfinished(evidence_of(builder.incident(*causes, closed_ms=3200)))


def test_a_hanging_request_shows_where_it_hangs(builder: IncidentBuilder) -> None:
    """The innermost open span is named, not the ones around it nor those that ended."""
    root = builder.open("GET /hang", 0)
    handler = builder.open("handler", 1, root)
    builder.span("select", 2, 3, handler)
    builder.open("wait for lock", 4, handler)

    finding = find(builder, builder.slow(root, 1000, trigger="slow_open_root"))

    assert finding is not None
    assert finding.summary == (
        "`GET /hang` was still open when the incident closed, 3.2s after it started; "
        "inside it `wait for lock` had not ended either"
    )
    assert finding.evidence["open_below"] == ["wait for lock"]


def test_parallel_waits_are_all_named_up_to_three(builder: IncidentBuilder) -> None:
    """Of many open spans the latest three are named and the rest counted."""
    root = builder.open("GET /hang", 0)
    for number in range(5):
        builder.open(f"call {number}", number, root)

    finding = find(builder, builder.slow(root, 1000, trigger="slow_open_root"))

    assert finding is not None
    assert "inside it `call 4`, `call 3`, `call 2` and 2 more had not" in finding.summary


def test_silent_when_the_trigger_ended_in_the_tail(builder: IncidentBuilder) -> None:
    """A request that fired while open and ended before the incident closed is finished."""
    root = builder.span("GET /slow", 0, 2500)

    assert find(builder, builder.slow(root, 1000, trigger="slow_open_root")) is None


def test_silent_when_only_others_are_open(builder: IncidentBuilder) -> None:
    """Other requests that happen to be open are none of the trigger's business."""
    root = builder.span("GET /slow", 0, 2500)
    builder.open("GET /other", 100)

    assert find(builder, builder.slow(root, 2500)) is None


def test_silent_without_a_trigger_span(builder: IncidentBuilder) -> None:
    """A snapshot has no trigger that could be open."""
    builder.open("GET /other", 100)

    assert find(builder) is None
