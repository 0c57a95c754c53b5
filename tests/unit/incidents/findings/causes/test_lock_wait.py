"""A lock that a slow request waited for, and its holder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.findings.causes.lock_wait import find_lock_wait
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.names import attributes as names
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place

HOLDER = "write (shop/app.py:44)"


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def waits(
    builder: IncidentBuilder, span: Span, *moments_ms: float, kind: str = "lock", **more: Any
) -> None:
    """Record samples of a request that waits for a lock."""
    for moment in moments_ms:
        builder.event(
            "stacks",
            "waiting",
            moment,
            span=span,
            attributes={names.WAIT_KIND: kind, names.WAIT_ON: "self._lock", **more},
            places=[place("handler", line=3), place("add", line=20)],
        )


def held_by(span: Span | None) -> dict[str, Any]:
    """Return what a sample says of who holds the lock."""
    if span is None:
        return {names.HOLDER: HOLDER}
    context = span.get_span_context()
    return {names.HOLDER: HOLDER, names.HOLDER_TRACE_ID: f"{context.trace_id:032x}"}


def find(builder: IncidentBuilder, cause: Cause, closed_ms: float = 5_000) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_lock_wait(evidence_of(builder.incident(cause, closed_ms=closed_ms)))


def test_a_crowd_at_one_lock_is_counted(builder: IncidentBuilder) -> None:
    """Others that wait for a lock of that name in the same function."""
    slow = builder.request("GET /add", 50, 1_050)
    waits(builder, slow, *range(300, 1_000, 100))
    for _ in range(3):
        waits(builder, builder.request("GET /add", 60, 1_500), 400, 500)
    waits(builder, builder.request("GET /tick", 60, 1_500), 400, kind="semaphore")

    finding = find(builder, builder.slow(slow, 1_050))

    assert finding is not None
    assert finding.summary.endswith(
        "for the lock `self._lock` in `add (shop/app.py:20)`; 3 other requests waited there, too"
    )
    assert finding.evidence["other_requests"] == 3


def test_the_lock_and_its_holder_are_named(builder: IncidentBuilder) -> None:
    """What was waited for, where, for how long, and what its holder did, for which request."""
    export = builder.request("GET /export", 0, 1_000)
    slow = builder.request("GET /add", 50, 1_050)
    waits(builder, slow, *range(300, 1_000, 100), **held_by(export))

    finding = find(builder, builder.slow(slow, 1_050))

    assert finding is not None
    assert finding.summary == (
        "`GET /add` waited at least 700ms of its 1s (70%) for the lock `self._lock` in "
        "`add (shop/app.py:20)`; meanwhile `write (shop/app.py:44)` held it, in another request, "
        "`GET /export`"
    )
    assert finding.explained_share == pytest.approx(0.7)
    assert finding.evidence["holder"] == HOLDER


def test_a_holder_in_the_same_request_is_said_to_be_so(builder: IncidentBuilder) -> None:
    """A request can wait for itself: its own other task or thread."""
    slow = builder.request("GET /add", 0, 1_000)
    waits(builder, slow, 300, 400, 500, 600, **held_by(slow))

    finding = find(builder, builder.slow(slow, 1_000))

    assert finding is not None
    assert finding.summary.endswith("held it, in this request itself")


def test_an_unknown_holder_is_not_invented(builder: IncidentBuilder) -> None:
    """Without a holder only the wait is told; with one outside of requests, only its function."""
    slow = builder.request("GET /add", 0, 1_000)
    waits(builder, slow, 300, 400, 500, 600, kind="semaphore")
    other = builder.request("GET /add", 0, 1_000)
    waits(builder, other, 300, 400, 500, 600, **held_by(None))

    first = find(builder, builder.slow(slow, 1_000))
    second = find(builder, builder.slow(other, 1_000))

    assert first is not None
    assert first.summary.endswith("for the semaphore `self._lock` in `add (shop/app.py:20)`")
    assert second is not None
    assert second.summary.endswith(f"; meanwhile `{HOLDER}` held it")


def test_silent_about_one_sample(builder: IncidentBuilder) -> None:
    """A lock seen once may have been free a moment later."""
    slow = builder.request("GET /add", 0, 400)
    waits(builder, slow, 300)

    assert find(builder, builder.slow(slow, 400)) is None


def test_silent_about_a_small_part_of_the_time(builder: IncidentBuilder) -> None:
    """A short wait in a long request is not why it was slow."""
    slow = builder.request("GET /add", 0, 4_000)
    waits(builder, slow, 300, 400, 500)

    assert find(builder, builder.slow(slow, 4_000)) is None


@pytest.mark.parametrize("kind", ["sleep", "network", "queue", "event", "future"])
def test_silent_about_other_waits(builder: IncidentBuilder, kind: str) -> None:
    """Who waits for a network or a clock waits for no lock."""
    slow = builder.request("GET /add", 0, 1_000)
    waits(builder, slow, *range(300, 1_000, 100), kind=kind)

    assert find(builder, builder.slow(slow, 1_000)) is None


def test_silent_about_the_waits_of_another_request(builder: IncidentBuilder) -> None:
    """What another request waited for did not hold up this one."""
    slow = builder.request("GET /add", 0, 1_000)
    other = builder.request("GET /other", 0, 1_000)
    waits(builder, other, *range(300, 1_000, 100))

    assert find(builder, builder.slow(slow, 1_000)) is None
