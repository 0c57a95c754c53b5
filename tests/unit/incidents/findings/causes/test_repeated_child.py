"""The same call again and again, when that is what the time went into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.findings.causes.repeated_child import find_repeated_child
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
    return find_repeated_child(evidence_of(builder.incident(cause, closed_ms=20_000)))


def test_one_query_a_row_is_counted(builder: IncidentBuilder) -> None:
    """Many equal calls one after the other are named, counted and summed up."""
    root = builder.open("GET /orders", 0)
    handler = builder.open("list orders", 5, root)
    for number in range(50):
        builder.span("SELECT item", 10 + number * 40, 48 + number * 40, handler)
    builder.end(handler, 2050)
    builder.end(root, 2100)

    finding = find(builder, builder.slow(root, 2100))

    assert finding is not None
    assert finding.summary == (
        "`SELECT item` ran 50 times in `list orders`, one after the other: "
        "1.9s of the 2.1s in all (90%)"
    )
    assert finding.evidence["calls"] == 50


def test_the_function_is_named_that_makes_the_calls(builder: IncidentBuilder) -> None:
    """No call is long enough to be seen in twice: all of them together are."""
    root = builder.request("GET /orders", 0, 1_000)
    for number in range(10):
        builder.span("GET", number * 100, number * 100 + 90, root)
        function = place("ask_all") if number != 5 else place("log")
        sample(builder, root, number * 100 + 50, place("orders"), function)
    sample(builder, root, 995, place("orders"))

    finding = find(builder, builder.slow(root, 1_000))

    assert finding is not None
    assert finding.summary.endswith(
        "(90%), called in `ask_all (shop/app.py:1)`, called by `orders`"
    )


def test_parallel_calls_are_counted_once_and_not_called_a_sequence(
    builder: IncidentBuilder,
) -> None:
    """Calls made together take the time of the longest stretch, not of their sum."""
    root = builder.open("GET /orders", 0)
    for batch in range(5):
        for number in range(4):
            builder.span("GET", batch * 400, batch * 400 + 300 + number, root)
    builder.end(root, 2100)

    finding = find(builder, builder.slow(root, 2100))

    assert finding is not None
    assert finding.summary.startswith("`GET` ran 20 times in `GET /orders`: 1.51s of the 2.1s")


def test_failed_calls_are_counted(builder: IncidentBuilder) -> None:
    """Of calls that were made one for each thing, it is said how many failed."""
    root = builder.open("GET /orders", 0)
    for number in range(10):
        error = "no" if number % 2 else None
        builder.span("reserve", number * 200, number * 200 + 150, root, error=error)
    builder.end(root, 2100)

    finding = find(builder, builder.slow(root, 2100))

    assert finding is not None
    assert finding.summary.endswith("; 5 of them failed")


def test_silent_about_one_call_that_was_tried_often(builder: IncidentBuilder) -> None:
    """A call that was made until it succeeded is not one call a row."""
    root = builder.open("GET /orders", 0)
    for number in range(10):
        error = "no" if number < 9 else None
        builder.span("try", number * 200, number * 200 + 150, root, error=error)
    builder.end(root, 2100)

    assert find(builder, builder.slow(root, 2100)) is None


@pytest.mark.parametrize(
    ("calls", "each_ms"),
    [
        pytest.param(7, 200, id="few-calls"),
        pytest.param(200, 1, id="cheap-calls"),
    ],
)
def test_silent_when_repetition_is_not_the_problem(
    builder: IncidentBuilder, calls: int, each_ms: int
) -> None:
    """A handful of calls, or many that cost nothing, are no finding."""
    root = builder.open("GET /orders", 0)
    for number in range(calls):
        builder.span("SELECT", number * each_ms, (number + 1) * each_ms, root)
    builder.end(root, 2100)

    assert find(builder, builder.slow(root, 2100)) is None


def test_silent_when_one_call_took_the_time(builder: IncidentBuilder) -> None:
    """One slow call among many quick ones is a slow call, not a repetition."""
    root = builder.open("GET /orders", 0)
    for number in range(20):
        builder.span("SELECT", number, number + 1, root)
    builder.span("SELECT", 100, 1900, root)
    builder.end(root, 2100)

    assert find(builder, builder.slow(root, 2100)) is None


def test_silent_when_the_cause_is_not_slowness(builder: IncidentBuilder) -> None:
    """A failure does not ask where time went."""
    root = builder.open("GET /orders", 0)
    for number in range(50):
        builder.span("SELECT", number * 40, number * 40 + 38, root)
    builder.end(root, 2100, error="no")

    assert find(builder, builder.failed(root, 2100)) is None
