"""Other requests that took far longer than usual."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.findings.circumstances.others_suffered import find_others_suffered
from otel_flight.incidents.manifest import Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder, in whose window requests have been as usual."""
    with IncidentBuilder(own_environment) as builder:
        for number in range(6):
            builder.request(f"GET /item/{number}", number * 100, number * 100 + 50)
            builder.request("GET /cart", number * 100, number * 100 + 90)
        yield builder


def found(builder: IncidentBuilder, slow: Span, closed_ms: float = 5_000) -> Finding | None:
    """Return what is said of an incident that a request made which ended after 3 s."""
    incident = builder.incident(builder.slow(slow, 3_000), closed_ms=closed_ms)
    return find_others_suffered(evidence_of(incident))


def test_they_are_counted_by_name_without_ids(builder: IncidentBuilder) -> None:
    """With when they began, and when the last one ended."""
    slow = builder.request("GET /report", 1_000, 3_000)
    for number in range(3):
        builder.request(f"GET /item/{number}", 900 + number, 2_900)
    builder.request("GET /cart", 1_200, 3_200)

    finding = found(builder, slow)

    assert finding is not None
    assert finding.summary == (
        "4 other requests took at least 3 times as long as usual: 3 × `GET /item/{id}`, "
        "1 × `GET /cart`; the first began 100ms before `GET /report`, and the last ended 200ms "
        "after it did"
    )
    assert finding.evidence == {"suffered": 4, "still_open": 0}


def test_those_that_have_not_ended_are_counted(builder: IncidentBuilder) -> None:
    """Then it was not over."""
    slow = builder.request("GET /report", 1_000, 3_000)
    for number in range(4):
        builder.request("GET /cart", 1_100, None if number else 2_000)

    finding = found(builder, slow)

    assert finding is not None
    assert finding.summary.endswith("and 3 had not ended when the incident closed")


def test_silent_about_two_and_about_unusual_names(builder: IncidentBuilder) -> None:
    """Of a name that was not there before it is not known how long it takes."""
    slow = builder.request("GET /report", 1_000, 3_000)
    for number in range(5):
        builder.request("GET /cart", 1_100, 3_000 if number < 2 else 1_190)
        builder.request("GET /rare", 1_100, 3_000)

    assert found(builder, slow) is None


def test_silent_where_no_span_is_slow(builder: IncidentBuilder) -> None:
    """Of a failure, others that are slow are another matter."""
    failed = builder.request("GET /report", 1_000, 3_000, error="no")
    incident = builder.incident(builder.failed(failed, 3_000), closed_ms=5_000)

    assert find_others_suffered(evidence_of(incident)) is None
