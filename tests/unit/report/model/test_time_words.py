"""What a slow span's time went into, in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind

from otel_flight.incidents.evidence.durations.time_parts import time_parts
from otel_flight.names import attributes as names
from otel_flight.report.model.time_words import MOST_SHARES, Share, shares_of
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place, sample


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def shares(builder: IncidentBuilder, slow: Span) -> list[Share]:
    """Return what is told of a request of a second."""
    evidence = evidence_of(builder.incident(builder.slow(slow, 1_000), closed_ms=5_000))
    assert evidence.slow is not None
    return shares_of(time_parts(evidence, evidence.slow))


def test_each_kind_of_part_has_its_words(builder: IncidentBuilder) -> None:
    """What is unknown comes last, with the reason."""
    slow = builder.open("GET /page", 0, kind=SpanKind.SERVER)
    builder.span("SELECT", 0, 150, slow, kind=SpanKind.CLIENT)
    builder.event("gc", "gc gen2", 150, 250)
    for moment in (300, 400):
        sample(builder, slow, moment, place("render", line=9))
    for moment in (500, 600):
        sample(builder, slow, moment, place("ask"), wait="network")
    sample(builder, slow, 700, place("rest"), wait="sleep")
    builder.end(slow, 1_000)

    told = shares(builder, slow)

    assert [(each.words, round(each.share, 2)) for each in told] == [
        ("running, in `render (shop/app.py:9)`", 0.2),
        ("waiting: network `it`, in `ask (shop/app.py:1)`", 0.2),
        ("in calls to others: `SELECT`", 0.15),
        ("stopped: `gc gen2`", 0.1),
        ("asleep, in `rest (shop/app.py:1)`", 0.1),
        ("unknown: before the first stack sample, or between two", 0.25),
    ]
    assert [each.is_known for each in told] == [True] * 5 + [False]


def test_a_native_call_is_told(builder: IncidentBuilder) -> None:
    """A thread in one may as well wait in it."""
    slow = builder.request("GET /page", 0, 1_000)
    for moment in (300, 400):
        builder.event(
            "stacks",
            "running",
            moment,
            span=slow,
            attributes={names.CALL: "connection.execute"},
            places=[place("load")],
        )

    first = shares(builder, slow)[0]

    assert first.words == "in the native call `connection.execute`, in `load (shop/app.py:1)`"


def test_without_samples_it_is_said_that_there_are_none(builder: IncidentBuilder) -> None:
    """They may be turned off, or not to be had on this interpreter."""
    slow = builder.request("GET /page", 0, 1_000)

    assert shares(builder, slow) == [
        Share("unknown: no stack samples", 1_000_000_000, 1.0, is_known=False)
    ]


def test_many_parts_are_cut_and_still_add_up(builder: IncidentBuilder) -> None:
    """The shortest are told together."""
    slow = builder.open("GET /page", 0, kind=SpanKind.SERVER)
    for number in range(20):
        builder.span(f"call {number}", number * 50, (number + 1) * 50, slow, kind=SpanKind.CLIENT)
    builder.end(slow, 1_000)

    told = shares(builder, slow)

    assert len(told) == MOST_SHARES
    assert told[-1].words == "13 other parts"
    assert sum(each.share for each in told) == pytest.approx(1)
