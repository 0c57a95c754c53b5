"""A call that was tried again: told apart from a loop, and from failures that did not matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind

from otel_flight.incidents.findings.causes.retries import find_retries
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder

TIMEOUT = TimeoutError("no answer")


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def find(builder: IncidentBuilder, cause: Cause, closed_ms: float = 20_000) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_retries(evidence_of(builder.incident(cause, closed_ms=closed_ms)))


def record_attempts(
    builder: IncidentBuilder, root: Span, errors: Sequence[BaseException | None]
) -> None:
    """Record a call of 400 ms for each of the errors, 200 ms apart."""
    for number, error in enumerate(errors):
        start = 100 + number * 600
        attributes = {"server.address": "bank", "http.request.resend_count": number}
        call = builder.open("POST", start, root, kind=SpanKind.CLIENT, attributes=attributes)
        if error is None:
            call.set_attribute("http.response.status_code", 201)
        builder.end(call, start + 400, error=error)


def test_a_call_that_succeeded_in_the_end_is_named_with_its_share(
    builder: IncidentBuilder,
) -> None:
    """How often it was tried, how it failed, and how long all of it took, the waits included."""
    root = builder.open("POST /orders", 0)
    record_attempts(builder, root, [TIMEOUT, TIMEOUT, None])
    builder.end(root, 2000)

    finding = find(builder, builder.slow(root, 2000))

    assert finding is not None
    assert finding.summary == (
        "`POST` was tried 3 times in `POST /orders`: 1.6s of the 2s in all (80%), 400ms of it "
        "between the attempts; the first 2 failed with TimeoutError: no answer, the last one "
        "succeeded"
    )
    assert finding.explained_share == pytest.approx(0.8)
    assert (finding.evidence["attempts"], finding.evidence["failed"]) == (3, 2)


def test_a_call_that_never_succeeded_is_said_to_have_failed_each_time(
    builder: IncidentBuilder,
) -> None:
    """Of a failed request whose retries are used up, that is said; it is no matter of time."""
    root = builder.open("POST /orders", 0)
    record_attempts(builder, root, [TIMEOUT, TIMEOUT, TIMEOUT])
    builder.end(root, 2000, error=TIMEOUT)

    finding = find(builder, builder.failed(root, 2000))

    assert finding is not None
    assert finding.summary == (
        "`POST` was tried 3 times in `POST /orders`; each failed, the last one with "
        "TimeoutError: no answer"
    )
    assert finding.explained_share == 0.0


def test_an_attempt_that_goes_on_is_called_open(builder: IncidentBuilder) -> None:
    """Of a request that is still trying, the last attempt has neither failed nor succeeded."""
    root = builder.open("POST /orders", 0)
    builder.span("connect", 100, 1100, root, error=TIMEOUT)
    builder.span("connect", 1200, None, root)

    finding = find(builder, builder.slow(root, 2000, trigger="slow_open_root"), closed_ms=3000)

    assert finding is not None
    assert finding.summary.endswith(
        "the first one failed with TimeoutError: no answer, the last one is still open"
    )


def test_silent_about_calls_for_different_things(builder: IncidentBuilder) -> None:
    """A loop in which every item fails is not one call tried again."""
    root = builder.open("DELETE /files", 0)
    for number in range(4):
        attributes = {"file": f"/tmp/{number}"}
        call = builder.open("delete", number * 400, root, attributes=attributes)
        builder.end(call, number * 400 + 390, error="read-only")
    builder.end(root, 1700)

    assert find(builder, builder.slow(root, 1700)) is None


def test_silent_when_it_went_on_after_a_success(builder: IncidentBuilder) -> None:
    """Who tries again stops when it worked; this is a loop that had some failures."""
    root = builder.open("POST /orders", 0)
    record_attempts(builder, root, [TIMEOUT, None, TIMEOUT, None])
    builder.end(root, 2500)

    assert find(builder, builder.slow(root, 2500)) is None


def test_silent_about_calls_made_together(builder: IncidentBuilder) -> None:
    """A call that began while the one before was still going on was not made because it failed."""
    root = builder.open("POST /orders", 0)
    builder.span("ask", 0, 900, root, error="no")
    builder.span("ask", 500, 1900, root)
    builder.end(root, 2000)

    assert find(builder, builder.slow(root, 2000)) is None


def test_silent_when_they_took_little_time(builder: IncidentBuilder) -> None:
    """Quick retries do not explain a slow request."""
    root = builder.open("GET /report", 0)
    builder.span("cache get", 1, 5, root, error="reset")
    builder.span("cache get", 6, 10, root)
    builder.span("render", 10, 1990, root)
    builder.end(root, 2000)

    assert find(builder, builder.slow(root, 2000)) is None


def test_silent_about_a_failure_that_came_after_a_success(builder: IncidentBuilder) -> None:
    """A call that worked at the second attempt is not why the request failed."""
    root = builder.open("POST /orders", 0)
    record_attempts(builder, root, [TIMEOUT, None])
    builder.end(root, 1200, error=ValueError("no such card"))

    assert find(builder, builder.failed(root, 1200)) is None


def test_silent_without_a_request(builder: IncidentBuilder) -> None:
    """A trigger from outside has no calls of its own."""
    root = builder.open("POST /orders", 0)
    record_attempts(builder, root, [TIMEOUT, None])
    builder.end(root, 1200)

    assert find(builder, builder.cause("external", "health check failed", None, 1300)) is None
