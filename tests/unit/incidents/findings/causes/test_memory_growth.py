"""Memory that grew until there was nearly none left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.findings.causes.memory_growth import find_memory_growth
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder

MIB = 1 << 20


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def vitals(builder: IncidentBuilder, *pairs: tuple[int, int], limit: int = 256) -> None:
    """Record what process and container hold, in MiB, once a second."""
    for second, (process, held) in enumerate(pairs):
        attributes = {"process.memory.usage": process * MIB}
        if limit:
            attributes["flight_recorder.container.memory.held"] = held * MIB
            attributes["flight_recorder.container.memory.limit"] = limit * MIB
        builder.event("process", "process vitals", second * 1_000, attributes=attributes)


def pressure(builder: IncidentBuilder, at_ms: float) -> Cause:
    """Return the cause of the trigger."""
    return builder.cause("memory_pressure", "memory pressure", None, at_ms)


def find(builder: IncidentBuilder, cause: Cause) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_memory_growth(evidence_of(builder.incident(cause, closed_ms=20_000)))


def test_the_process_and_the_request(builder: IncidentBuilder) -> None:
    """A request that ran while memory grew and not before is named."""
    for second in range(6):
        builder.request("GET /ok", second * 1_000 + 100, second * 1_000 + 110)
    builder.request("GET /export", 2_100, None)
    vitals(builder, (60, 80), (60, 80), (60, 80), (120, 140), (180, 200), (223, 243))

    finding = find(builder, pressure(builder, 5_000))

    assert finding is not None
    assert finding.summary == (
        "the container's memory grew from 80MiB to 243MiB in 5s, 95% of its limit of 256MiB; this "
        "process did, while `GET /export` was running"
    )
    assert finding.evidence["of_process_bytes"] == 163 * MIB


def test_another_process_of_the_container(builder: IncidentBuilder) -> None:
    """Then no request of ours is blamed."""
    builder.request("GET /export", 1_100, None)
    vitals(builder, (60, 80), (60, 80), (62, 160), (64, 240))

    finding = find(builder, pressure(builder, 3_000))

    assert finding is not None
    assert finding.summary.endswith("this process only by 4MiB: another one in the container did")
    assert "requests" not in finding.evidence


def test_requests_that_always_run_are_not_named(builder: IncidentBuilder) -> None:
    """They ran before as well, when nothing grew."""
    builder.request("GET /events", 0, None)
    vitals(builder, (60, 80), (60, 80), (60, 80), (140, 160), (223, 243))

    finding = find(builder, pressure(builder, 4_000))

    assert finding is not None
    assert finding.summary.endswith("; this process did")


def test_two_names_that_fit_are_none(builder: IncidentBuilder) -> None:
    """Which of them it was cannot be told."""
    builder.request("GET /export", 2_100, None)
    builder.request("GET /import", 2_100, None)
    vitals(builder, (60, 80), (60, 80), (60, 80), (140, 160), (223, 243))

    finding = find(builder, pressure(builder, 4_000))

    assert finding is not None
    assert finding.summary.endswith("; this process did")


def test_an_error_for_want_of_memory(builder: IncidentBuilder) -> None:
    """Without a limit the process itself is looked at; it explains no time."""
    failed = builder.request("GET /export", 2_100, 4_000, error="no")
    vitals(builder, (60, 0), (60, 0), (60, 0), (500, 0), (900, 0), limit=0)
    attributes = {"exception.type": "MemoryError"}

    finding = find(builder, builder.cause("error_span", "error", failed, 4_000, attributes))

    assert finding is not None
    assert finding.summary.startswith("the process's memory grew from 60MiB to 900MiB in 4s; this")
    assert finding.explained_share == 0


def test_silent_when_memory_is_not_the_matter(builder: IncidentBuilder) -> None:
    """A slow request in a service that warms up says nothing of memory."""
    slow = builder.request("GET /report", 0, 3_000)
    vitals(builder, (60, 80), (120, 140), (180, 200), (223, 243))

    assert find(builder, builder.slow(slow, 3_000)) is None


def test_silent_when_it_was_as_much_all_the_time(builder: IncidentBuilder) -> None:
    """A container that is simply too small."""
    vitals(builder, (220, 240), (221, 241), (223, 243), (224, 244))

    assert find(builder, pressure(builder, 3_000)) is None


def test_silent_when_little_is_known_of_before(builder: IncidentBuilder) -> None:
    """Two moments make no growth; what came after the trigger does not count."""
    vitals(builder, (60, 80), (223, 243), (224, 244), (225, 245))

    assert find(builder, pressure(builder, 1_000)) is None
