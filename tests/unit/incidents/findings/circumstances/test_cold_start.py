"""The first request of its kind in a process, against the later ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.findings.circumstances.cold_start import find_cold_start
from otel_flight.incidents.manifest import Finding
from otel_flight.names import attributes as names
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place, sample

TEMPLATES = "/srv/venv/lib/python3.11/site-packages/jinja2/compiler.py"


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def later(builder: IncidentBuilder, number: int = 6, length_ms: float = 20) -> None:
    """Record what followed."""
    for each in range(number):
        builder.request("GET /page", 3_000 + each * 500, 3_000 + each * 500 + length_ms)


def found(builder: IncidentBuilder, slow: Span) -> Finding | None:
    """Return what the rule says."""
    return find_cold_start(
        evidence_of(builder.incident(builder.slow(slow, 2_000), closed_ms=9_000))
    )


def test_the_first_of_its_kind(builder: IncidentBuilder) -> None:
    """How long the later ones took, and what was done only once."""
    builder.request("GET /ok", 0, 10)
    slow = builder.request("GET /page", 1_000, 2_000)
    for moment in range(1_100, 2_000, 100):
        sample(builder, slow, moment, place("view"), place("visit_For", file=TEMPLATES))
    later(builder)

    finding = found(builder, slow)

    assert finding is not None
    assert finding.summary.startswith("`GET /page` was the first of its kind in this process, ")
    assert finding.summary.endswith("; the 6 after it took 20ms; it compiled templates")


def test_connections_that_were_made(builder: IncidentBuilder) -> None:
    """By what its stack samples say of waits for the network."""
    slow = builder.request("GET /page", 1_000, 2_000)
    for moment in range(1_100, 2_000, 100):
        builder.event(
            "stacks",
            "waiting",
            moment,
            span=slow,
            attributes={names.WAIT_KIND: "network", names.WAIT_ON: "connection to db:5432"},
            places=[place("view")],
        )
    later(builder)

    finding = found(builder, slow)

    assert finding is not None
    assert finding.summary.endswith("; it made connections")


def test_silent_after_one_of_its_kind(builder: IncidentBuilder) -> None:
    """Whatever is done once had been done then."""
    builder.request("GET /page", 0, 20)
    slow = builder.request("GET /page", 1_000, 2_000)
    later(builder)

    assert found(builder, slow) is None


@pytest.mark.parametrize(("number", "length_ms"), [(4, 20), (6, 400)])
def test_silent_without_good_ones_after_it(
    builder: IncidentBuilder, number: int, length_ms: float
) -> None:
    """With fewer than five of them, or as slow ones, nothing is known."""
    slow = builder.request("GET /page", 1_000, 2_000)
    later(builder, number, length_ms)

    assert found(builder, slow) is None
