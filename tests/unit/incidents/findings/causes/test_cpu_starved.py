"""A process that got no processor: by its container's limit, by others, or stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind

from otel_flight.incidents.evidence.durations.own_time import parts_of_slow
from otel_flight.incidents.evidence.durations.time_parts import Doing
from otel_flight.incidents.findings.causes.cpu_starved import find_cpu_starved
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder, place

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
    return find_cpu_starved(evidence_of(builder.incident(cause, closed_ms=20_000)))


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


def sampled(
    builder: IncidentBuilder, request: Span, at_ms: float, queued_ms: int, others_ms: int = 0
) -> None:
    """Record that the request was seen running, and for how long it was not since the last time."""
    attributes = {
        "flight_recorder.run_queue_ns": queued_ms * MS,
        "flight_recorder.process.cpu_ns": others_ms * MS,
    }
    places = [place("render", "/srv/shop/app.py", 7)]
    builder.event("stacks", "running", at_ms, span=request, attributes=attributes, places=places)


@pytest.mark.parametrize(
    ("others_ms", "words"),
    [
        (50, "the process got no processor: others on the machine had it for 1.2s of the 2s of"),
        (900, "its thread was ready to run and got no processor, other threads of the process"),
    ],
    ids=["others", "own"],
)
def test_a_thread_that_queued(builder: IncidentBuilder, others_ms: int, words: str) -> None:
    """No pause of the process, but all in all it had to wait; for whom, its own use tells."""
    slow = builder.open("GET /report", 0)
    for number in range(1, 5):
        sampled(builder, slow, number * 400, 300, others_ms // 4)
    builder.end(slow, 2_000)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary.startswith(words)
    assert finding.evidence["run_queue_ns"] == 1_200 * MS


def test_who_is_throttled_queues_as_well(builder: IncidentBuilder) -> None:
    """The limit is the reason then."""
    slow = builder.open("GET /report", 0)
    sampled(builder, slow, 1_000, 1_500)
    builder.end(slow, 2_000)
    throttled(builder, 0, 2_000, 1_400)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert "processor limit" in finding.summary


def test_the_pressure_of_the_worst_second(builder: IncidentBuilder) -> None:
    """Whose it was, and in how much of the time; that of a disk is not of a processor."""
    slow = builder.open("GET /report", 1_000)
    sampled(builder, slow, 2_000, 900)
    builder.end(slow, 3_000)
    for name, end_ms, stalled_ms in (("cpu", 2_000, 970), ("cpu", 3_000, 400), ("io", 3_000, 999)):
        attributes = {
            "flight_recorder.pressure.scope": "machine",
            "flight_recorder.pressure.stalled_ns": stalled_ms * MS,
        }
        event = f"{name} pressure"
        builder.event("pressure", event, end_ms - 1_000, end_ms, attributes=attributes)

    finding = find(builder, builder.slow(slow, 3_000))

    assert finding is not None
    assert finding.evidence["cpu_pressure"] == 0.97
    assert finding.evidence["cpu_pressure_scope"] == "machine"


def test_silent_when_it_queued_a_little(builder: IncidentBuilder) -> None:
    """Under pressure, too: a request that had its processor is slow for another reason."""
    slow = builder.open("GET /report", 0)
    sampled(builder, slow, 1_000, 500)
    builder.end(slow, 2_000)
    attributes = {"flight_recorder.pressure.stalled_ns": 2_000 * MS}
    builder.event("pressure", "cpu pressure", 0, 2_000, attributes=attributes)

    assert find(builder, builder.slow(slow, 2_000)) is None


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


def test_a_thread_that_waited_for_the_gil(builder: IncidentBuilder) -> None:
    """Who had it mostly is named, and what had needed it; it is a part of the time of its own."""
    slow = builder.open("GET /report", 0)
    for number in range(1, 11):
        attributes = {
            "flight_recorder.gil_wait_ns": 120 * MS,
            "flight_recorder.run_queue_ns": 10 * MS,
            "flight_recorder.rival": "crunch (shop/jobs.py:7)" if number > 3 else "tidy (a.py:1)",
        }
        places = [place("render", "/srv/shop/app.py", 7)]
        builder.event(
            "stacks", "running", number * 200 - 100, span=slow, attributes=attributes, places=places
        )
    builder.end(slow, 2_000)

    incident = builder.incident(builder.slow(slow, 2_000), closed_ms=3_000)

    finding = incident.manifest.findings[0]
    assert finding.summary == (
        "other threads of the process had the interpreter's lock (GIL), mostly `crunch "
        "(shop/jobs.py:7)`, for 1.2s of the 2s of `GET /report` (60%); it ran `render "
        "(shop/app.py:7)`"
    )
    assert finding.evidence["gil_wait_ns"] == 1_200 * MS
    parts = {part.doing: part.duration_ns for part in evidence_of(incident).once(parts_of_slow)}
    assert parts[Doing.GIL] == 1_200 * MS
    assert parts[Doing.QUEUED] == 100 * MS


def test_who_had_the_cpu_instead_is_named(builder: IncidentBuilder) -> None:
    """Of the process's own threads; and that other requests did the same."""
    slow = builder.request("GET /ranking", 0, 2_000)
    other = builder.request("GET /ranking", 10, 2_500)
    places = [place("rank_all", "/srv/shop/app.py", 7)]
    for at_ms in range(100, 2_000, 200):
        attributes = {
            "flight_recorder.run_queue_ns": 120 * MS,
            "flight_recorder.process.cpu_ns": 150 * MS,
            "flight_recorder.rival": "rebuild (shop/jobs.py:7)",
        }
        for span in (slow, other):
            builder.event(
                "stacks", "running", at_ms, span=span, attributes=attributes, places=places
            )

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary == (
        "its thread was ready to run and got no processor, other threads of the process did, "
        "mostly `rebuild (shop/jobs.py:7)`, for 1.2s of the 2s of `GET /ranking` (60%); it ran "
        "`rank_all (shop/app.py:7)`, as 1 other request did"
    )


def test_what_ran_is_told_where_the_pauses_cover_all_of_it(builder: IncidentBuilder) -> None:
    """A sample within one shows what could not go on; what waits needs no CPU."""
    slow = builder.request("GET /report", 0, 2_000)
    stopped(builder, 0, 2_000, 1_900)
    for at_ms, function, wait in (
        (100, "ask", "network"),
        (900, "render", ""),
        (950, "render", ""),
    ):
        attributes = {"flight_recorder.wait.kind": wait} if wait else {}
        places = [place(function, "/srv/shop/app.py", 7)]
        builder.event("stacks", "running", at_ms, span=slow, attributes=attributes, places=places)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary.endswith("(100%); it ran `render (shop/app.py:7)`")
