"""What there is far more of than on good requests; ids and the like are no amounts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_flight.incidents.findings.circumstances.unusual_amount import find_unusual_amount
from otel_flight.incidents.manifest import Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def found(
    builder: IncidentBuilder, usual: Callable[[int], Any], slow: Any, good: int = 20
) -> Finding | None:
    """Return what is said of a slow request after good ones, each with an amount on a query."""
    for number in (*range(good), None):
        begin = 100.0 * (good if number is None else number)
        end = begin + (2_000 if number is None else 20)
        root = builder.open("GET /export", begin, kind=SpanKind.SERVER)
        amount = slow if number is None else usual(number)
        attributes = {} if amount is None else {"db.response.returned_rows": amount}
        builder.span("SELECT order", begin + 1, begin + 5, root, attributes=attributes)
        builder.end(root, end)
    return find_unusual_amount(
        evidence_of(builder.incident(builder.slow(root, end), closed_ms=end))
    )


def test_far_more_rows_than_usual_are_told(builder: IncidentBuilder) -> None:
    """With the most that a good request had."""
    finding = found(builder, lambda number: 80 + number, 400_000)

    assert finding is not None
    assert finding.summary == (
        "`db.response.returned_rows` of `SELECT order` was 400,000; on 20 good `GET /export` it "
        "was 99 at most"
    )


def test_a_few_times_as_much_is_nothing_unusual(builder: IncidentBuilder) -> None:
    """Amounts differ."""
    assert found(builder, lambda number: 80 + number, 500) is None


def test_random_ids_are_no_amounts(builder: IncidentBuilder) -> None:
    """The largest of a good many is near what there can be."""
    ids = random.Random(7)

    assert found(builder, lambda _: ids.randrange(10**9), 10**9 - 1) is None


@pytest.mark.parametrize("slow", ["400000", True, None])
def test_what_is_no_number_is_no_amount(builder: IncidentBuilder, slow: object) -> None:
    """Such as a text, or a flag."""
    assert found(builder, lambda _: 0, slow) is None


def test_few_good_requests_say_nothing(builder: IncidentBuilder) -> None:
    """Of nine it is not known what is usual."""
    assert found(builder, lambda _: 80, 400_000, good=9) is None
