"""A pool of threads or connections that had none left for a slow request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.findings.causes.pool_exhausted import find_pool_exhausted
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.names import attributes as names
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place

FETCH = "fetch (shop/app.py:26)"


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def sampled(
    builder: IncidentBuilder, span: Span, *moments_ms: float, kind: str, on: str, **more: Any
) -> None:
    """Record samples of a request that waits."""
    for moment in moments_ms:
        builder.event(
            "stacks",
            "waiting",
            moment,
            span=span,
            attributes={names.WAIT_KIND: kind, names.WAIT_ON: on, **more},
            places=[place("fetch", line=26)],
        )


def trace_id(span: Span) -> str:
    """Return a span's trace id as samples have it."""
    return f"{span.get_span_context().trace_id:032x}"


def find(builder: IncidentBuilder, cause: Cause, closed_ms: float = 5_000) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_pool_exhausted(evidence_of(builder.incident(cause, closed_ms=closed_ms)))


def test_a_thread_pool_and_its_users_are_named(builder: IncidentBuilder) -> None:
    """How many threads it has, what they did, and for which requests."""
    reports = [builder.request("GET /report", 0, 1_100) for _ in range(2)]
    slow = builder.request("GET /quick", 50, 1_050)
    sampled(
        builder,
        slow,
        *range(300, 1_000, 100),
        kind="thread pool",
        on="anyio's worker threads",
        **{
            names.POOL_THREADS: 3,
            names.POOL_BUSY: [FETCH, FETCH, "mail (shop/mail.py:9)"],
            names.POOL_TRACE_IDS: [*map(trace_id, reports), ""],
        },
    )

    finding = find(builder, builder.slow(slow, 1_050))

    assert finding is not None
    assert finding.summary == (
        "`GET /quick` waited at least 700ms of its 1s (70%) for a free thread of `anyio's worker "
        "threads`; all 3 were busy: 2 × in `fetch (shop/app.py:26)` for `GET /report`, 1 × in "
        "`mail (shop/mail.py:9)`"
    )
    assert finding.evidence["threads"] == 3
    assert finding.evidence["users"][0] == {"place": FETCH, "request": "GET /report", "count": 2}


def test_a_connection_pool_and_who_has_its_connections_are_named(builder: IncidentBuilder) -> None:
    """Those of one sample, and nobody who was only slow meanwhile."""
    report = builder.request("GET /report", 0, 1_100)
    also = builder.request("GET /archive", 0, 1_100)
    slow = builder.request("GET /quick", 50, 1_050)
    sampled(builder, also, 400, 500, kind="network", on="recv()")
    sampled(
        builder,
        slow,
        *range(300, 1_000, 100),
        kind="connection pool",
        on="sqlalchemy",
        **{names.POOL_BUSY: [FETCH, FETCH], names.POOL_TRACE_IDS: [trace_id(report), ""]},
    )

    finding = find(builder, builder.slow(slow, 1_050))

    assert finding is not None
    assert finding.summary == (
        "`GET /quick` waited at least 700ms of its 1s (70%) for a connection from the pool of "
        "`sqlalchemy` in `fetch (shop/app.py:26)`; who had one: 1 × in `fetch (shop/app.py:26)` "
        "for `GET /report`, 1 × in `fetch (shop/app.py:26)`"
    )
    assert finding.evidence["users"][0] == {"place": FETCH, "request": "GET /report", "count": 1}
    assert "meanwhile" not in finding.evidence


def test_a_connection_pool_is_named_with_the_other_slow_requests(builder: IncidentBuilder) -> None:
    """Where it is not known who has a connection: who was slow meanwhile, and not for want of one.

    They are not said to have one.
    """
    report = builder.request("GET /report", 0, 1_100)
    also = builder.request("GET /quick", 0, 1_100)
    slow = builder.request("GET /quick", 50, 1_050)
    sampled(builder, report, 400, 500, kind="network", on="recv()")
    sampled(builder, also, 400, 500, kind="connection pool", on="sqlalchemy")
    sampled(builder, slow, *range(300, 1_000, 100), kind="connection pool", on="sqlalchemy")

    finding = find(builder, builder.slow(slow, 1_050))

    assert finding is not None
    assert finding.summary.endswith(
        "for a connection from the pool of `sqlalchemy` in `fetch (shop/app.py:26)`; other "
        "requests meanwhile: 1 × in `fetch (shop/app.py:26)` for `GET /report`"
    )
    assert finding.evidence["users"] == []
    assert finding.evidence["meanwhile"][0]["request"] == "GET /report"


def test_a_pool_whose_users_are_not_known_is_named_alone(builder: IncidentBuilder) -> None:
    """Nothing is said of what was not seen."""
    slow = builder.request("GET /quick", 0, 1_000)
    sampled(builder, slow, 300, 400, 500, 600, kind="connection pool", on="redis")

    finding = find(builder, builder.slow(slow, 1_000))

    assert finding is not None
    assert finding.summary.endswith(
        "for a connection from the pool of `redis` in `fetch (shop/app.py:26)`"
    )


@pytest.mark.parametrize("kind", ["lock", "queue", "future", "network"])
def test_silent_about_other_waits(builder: IncidentBuilder, kind: str) -> None:
    """A queue is no pool."""
    slow = builder.request("GET /quick", 0, 1_000)
    sampled(builder, slow, *range(300, 1_000, 100), kind=kind, on="it")

    assert find(builder, builder.slow(slow, 1_000)) is None


def test_silent_about_one_sample_and_about_a_small_part(builder: IncidentBuilder) -> None:
    """Seen once, or for a short time only, it is not why the request was slow."""
    once = builder.request("GET /quick", 0, 400)
    sampled(builder, once, 300, kind="thread pool", on="reports")
    long = builder.request("GET /quick", 0, 4_000)
    sampled(builder, long, 300, 400, 500, kind="thread pool", on="reports")

    assert find(builder, builder.slow(once, 400)) is None
    assert find(builder, builder.slow(long, 4_000)) is None
