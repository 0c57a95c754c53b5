"""What ended with the wait is named; what only happened to be there is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.findings.circumstances.ended_together import find_ended_together
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def waiting_request(builder: IncidentBuilder) -> Cause:
    """Record a request that waits from 1.1 s to 3.1 s, and return its cause."""
    root = builder.open("GET /report", 1000)
    builder.span("wait for lock", 1100, 3100, root)
    builder.end(root, 3150)
    return builder.slow(root, 3150)


def find(builder: IncidentBuilder, cause: Cause) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_ended_together(evidence_of(builder.incident(cause, closed_ms=5000)))


def test_a_job_that_ended_with_the_wait_is_named(builder: IncidentBuilder) -> None:
    """A job that began before the wait and ended just before it is told, with its trace."""
    job = builder.span("rebuild index", 900, 3098)
    for start in range(1000, 3000, 50):
        builder.request("GET /items", start, start + 40)

    finding = find(builder, waiting_request(builder))

    assert finding is not None
    assert finding.summary == (
        "`rebuild index` ran all the while and ended 2ms before `wait for lock` did, "
        "in another trace"
    )
    context = job.get_span_context()
    assert context is not None
    assert finding.evidence["trace_id"] == f"{context.trace_id:032x}"


@pytest.mark.parametrize(
    ("start_ms", "end_ms"),
    [
        pytest.param(900, 3300, id="ended-later"),
        pytest.param(900, 2900, id="ended-earlier"),
        pytest.param(1300, 3100, id="began-later"),
        pytest.param(-9000, 3100, id="was-always-there"),
        pytest.param(900, None, id="still-runs"),
    ],
)
def test_silent_for_what_only_happened_to_be_there(
    builder: IncidentBuilder, start_ms: float, end_ms: float | None
) -> None:
    """A job with other times, or a connection that is always open, is not named."""
    builder.span("job", start_ms, end_ms)

    assert find(builder, waiting_request(builder)) is None


def test_silent_for_others_that_wait_for_the_same(builder: IncidentBuilder) -> None:
    """Requests of the same route, and many of any, are victims as well."""
    builder.request("GET /report", 1000, 3110)
    cause = waiting_request(builder)
    assert find(builder, cause) is None

    for number in range(3):
        builder.request(f"GET /other/{number}", 1000, 3110)
    assert find(builder, cause) is None


def test_silent_while_the_wait_goes_on(builder: IncidentBuilder) -> None:
    """Nothing ended with a wait that has not ended."""
    builder.span("job", 900, 3000)
    root = builder.open("GET /report", 1000)
    builder.open("wait for lock", 1100, root)

    assert find(builder, builder.slow(root, 2000, trigger="slow_open_root")) is None


def test_silent_when_the_cause_is_not_slowness(builder: IncidentBuilder) -> None:
    """A failure did not wait for anything."""
    builder.span("job", 900, 3100)
    root = builder.span("GET /report", 1000, 3100, error="no")

    assert find(builder, builder.failed(root, 3100)) is None
