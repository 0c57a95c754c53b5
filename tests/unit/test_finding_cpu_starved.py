"""A process that got no processor: by its container's limit, by others, or stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind

from otel_flight.incidents.findings.base import EvidenceView
from otel_flight.incidents.findings.cpu_starved import find_cpu_starved
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incident_builder import IncidentBuilder

MS = 1_000_000


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def throttled(builder: IncidentBuilder, start_ms: float, end_ms: float, held_ms: int) -> None:
    """Record a stretch of throttling."""
    attributes = {
        "flight_recorder.container.cpu.limit": 0.5,
        "flight_recorder.throttled.periods": 3,
        "flight_recorder.held_back_ns": held_ms * MS,
    }
    builder.event("throttling", "cpu throttled", start_ms, end_ms, attributes=attributes)


def stopped(
    builder: IncidentBuilder, start_ms: float, end_ms: float, queued_ms: int | None = 0
) -> None:
    """Record that the ticker was woken late."""
    attributes = {} if queued_ms is None else {"flight_recorder.run_queue_ns": queued_ms * MS}
    builder.event("descheduling", "process descheduled", start_ms, end_ms, attributes=attributes)


def find(builder: IncidentBuilder, cause: Cause) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_cpu_starved(EvidenceView(builder.incident(cause, closed_ms=20_000)))


def test_the_limit_of_the_container(builder: IncidentBuilder) -> None:
    """Of a stretch that began before the request, the part within counts."""
    slow = builder.request("GET /report", 1_000, 3_000)
    throttled(builder, 500, 1_500, 800)
    throttled(builder, 1_500, 2_500, 800)

    finding = find(builder, builder.slow(slow, 3_000))

    assert finding is not None
    assert finding.summary == (
        "the container's processor limit of 0.5 processors held the process back for 1.2s of the "
        "2s of `GET /report` (60%)"
    )
    assert finding.evidence["throttled_ns"] == 1_200 * MS


def test_a_late_ticker_is_the_limits_doing_too(builder: IncidentBuilder) -> None:
    """Who is throttled is also woken late: both are one reason, and not counted twice."""
    slow = builder.request("GET /report", 0, 2_000)
    throttled(builder, 0, 1_000, 800)
    stopped(builder, 100, 900)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert "processor limit" in finding.summary
    assert finding.explained_share == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("queued_ms", "words"),
    [
        (1_400, "the process got no processor: others on the machine had it for 1.5s of"),
        (3, "the process was stopped (by a signal, a debugger, a freezer or a suspended machine)"),
        (None, "the process got no processor for 1.5s of"),
    ],
)
def test_without_a_limit(builder: IncidentBuilder, queued_ms: int | None, words: str) -> None:
    """Whether others had the processor or the process was stopped, as far as the kernel tells."""
    slow = builder.request("GET /report", 0, 2_000)
    stopped(builder, 200, 1_700, queued_ms)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary.startswith(words)
    assert finding.explained_share == pytest.approx(0.75)


def test_the_trigger_is_described_without_a_request(builder: IncidentBuilder) -> None:
    """How long of its five seconds the process was held back."""
    for second in range(1, 6):
        throttled(builder, second * 1_000 - 1_000, second * 1_000, 700)

    finding = find(builder, builder.cause("throttling", "cpu throttling", None, 5_000))

    assert finding is not None
    assert finding.summary.endswith("held the process back for 3.5s of 5s (70%)")


def test_silent_when_it_took_little(builder: IncidentBuilder) -> None:
    """A fifth of the time does not make a request slow."""
    slow = builder.request("GET /report", 0, 2_000)
    throttled(builder, 0, 2_000, 300)
    stopped(builder, 100, 500)

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_about_calls_that_need_no_processor(builder: IncidentBuilder) -> None:
    """While another service is waited for, being held back costs nothing."""
    slow = builder.open("GET /report", 0)
    builder.span("GET", 10, 1_950, slow, kind=SpanKind.CLIENT)
    builder.end(slow, 2_000)
    throttled(builder, 0, 1_000, 800)
    throttled(builder, 1_000, 2_000, 800)

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_about_another_time(builder: IncidentBuilder) -> None:
    """Before and after the request."""
    slow = builder.request("GET /report", 5_000, 6_000)
    throttled(builder, 3_000, 4_000, 900)
    stopped(builder, 6_100, 8_000)

    assert find(builder, builder.slow(slow, 6_000)) is None
