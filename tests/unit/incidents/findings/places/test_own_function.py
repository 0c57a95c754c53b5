"""A function that took the time, and did many things in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.findings.places.own_function import find_own_function
from otel_flight.incidents.findings.places.self_time import find_self_time
from otel_flight.incidents.manifest import Finding
from otel_flight.names import attributes as names
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place, sample


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def found(builder: IncidentBuilder, slow: Span) -> Finding | None:
    """Return what the rule says."""
    return find_own_function(
        evidence_of(builder.incident(builder.slow(slow, 1_000), closed_ms=5_000))
    )


def test_it_is_named_with_what_it_did(builder: IncidentBuilder) -> None:
    """The longest first; the functions that it called for that are not named."""
    slow = builder.request("GET /checkout", 0, 1_000)
    view, check_out = place("view", line=3), place("check_out", line=9)
    for moment in (150, 250):
        sample(builder, slow, moment, view, check_out, place("price"))
    for wait, moments in (("sleep", (350, 450)), ("process", (550, 650)), ("file", (750, 850))):
        for moment in moments:
            sample(builder, slow, moment, view, check_out, place(wait), wait=wait)

    finding = found(builder, slow)

    assert finding is not None
    assert finding.summary == (
        "`GET /checkout` was for 800ms of its 1s (80%) in `check_out (shop/app.py:9)`, called by "
        "`view`: 200ms running, 200ms asleep, 200ms waiting for: process (`it`), …"
    )
    assert finding.explained_share == pytest.approx(0.8)
    assert finding.evidence[names.FUNCTION] == "check_out"
    assert finding.evidence["samples"] == 8


def test_what_it_did_for_one_sample_each_counts(builder: IncidentBuilder) -> None:
    """A lock and the work under it, of a request that was slow for a moment only."""
    slow = builder.request("GET /limited", 0, 1_000)
    sample(builder, slow, 300, place("pass_one"), wait="lock")
    sample(builder, slow, 700, place("pass_one"), wait="sleep")

    finding = found(builder, slow)

    assert finding is not None
    assert "in `pass_one (shop/app.py:1)`: " in finding.summary


def test_silent_where_one_thing_took_much_of_it(builder: IncidentBuilder) -> None:
    """Which another rule says."""
    slow = builder.request("GET /checkout", 0, 1_000)
    for moment in range(100, 900, 100):
        sample(builder, slow, moment, place("view"), wait="sleep" if moment < 500 else "process")

    assert found(builder, slow) is None


def test_silent_where_no_function_took_much(builder: IncidentBuilder) -> None:
    """Or where only one sample shows it."""
    apart = builder.request("GET /apart", 0, 1_000)
    for moment, wait in ((150, "sleep"), (350, "process"), (550, "file"), (750, "queue")):
        sample(builder, apart, moment, place(wait), wait=wait)
    once = builder.request("GET /once", 0, 100)
    sample(builder, once, 50, place("view"))

    assert found(builder, apart) is None
    assert found(builder, once) is None


def test_the_time_outside_of_spans_is_not_said_then(builder: IncidentBuilder) -> None:
    """It is known who had it."""
    slow = builder.open("GET /checkout", 0)
    builder.span("SELECT", 10, 20, slow)
    builder.end(slow, 1_000)
    for moment, wait in ((150, "sleep"), (350, "process"), (550, "file"), (750, "queue")):
        sample(builder, slow, moment, place("view"), wait=wait)
    evidence = evidence_of(builder.incident(builder.slow(slow, 1_000), closed_ms=5_000))

    assert find_own_function(evidence) is not None
    assert find_self_time(evidence) is None
