"""A blocked event loop: which function blocked it, and in which request it ran."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.findings.causes.event_loop_blocked import find_event_loop_blocked
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.interpreter.code.places import Place
from otel_flight.names import attributes as names
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder, place

COMPUTE = {names.FUNCTION: "compute", names.FILE: "/srv/shop/app.py", names.LINE: 12}


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def stall(
    builder: IncidentBuilder,
    start_ms: float,
    end_ms: float,
    span: Span | None = None,
    *,
    attributes: Mapping[str, Any] = COMPUTE,
    name: str = "event loop blocked",
    thread_id: int | None = None,
    places: Sequence[Place] = (),
) -> None:
    """Record a stall of the loop that the builder's requests are served on."""
    builder.event(
        "event_loop",
        name,
        start_ms,
        end_ms,
        span=span,
        attributes=attributes,
        thread_id=threading.get_ident() if thread_id is None else thread_id,
        places=places,
    )


def find(builder: IncidentBuilder, cause: Cause, closed_ms: float = 5_000) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_event_loop_blocked(evidence_of(builder.incident(cause, closed_ms=closed_ms)))


def test_the_function_is_named_with_the_other_request_it_ran_in(builder: IncidentBuilder) -> None:
    """Who was slow, who is to blame, and how much of the time that explains."""
    report = builder.request("GET /report", 100, 1_900)
    slow = builder.request("GET /ok", 50, 2_050)
    stall(builder, 110, 1_890, report)

    finding = find(builder, builder.slow(slow, 2_050))

    assert finding is not None
    assert finding.summary == (
        "the event loop was blocked for 1.78s of the 2s of `GET /ok` (89%) by "
        "`compute (shop/app.py:12)`, running in another request, `GET /report`"
    )
    assert finding.explained_share == pytest.approx(0.89)
    assert finding.evidence["code.file.path"] == "/srv/shop/app.py"
    assert finding.evidence["trace_id"] == f"{report.get_span_context().trace_id:032x}"


def test_who_called_the_function_is_named(builder: IncidentBuilder) -> None:
    """Many may call it; but what the program began with has called everything."""
    slow = builder.request("GET /ok", 0, 2_000)
    stall(
        builder,
        100,
        1_900,
        places=[
            place("<module>", "/srv/shop/app.py", 99),
            place("tidy_up", "/srv/shop/jobs.py", 7),
            place("compute", "/srv/shop/app.py", 12),
        ],
    )

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary.endswith("by `compute (shop/app.py:12)`, called by `tidy_up`")


def test_the_request_itself_may_be_to_blame(builder: IncidentBuilder) -> None:
    """That is said as well, and which function written in C it was in."""
    slow = builder.request("GET /report", 0, 2_000)
    stall(builder, 0, 1_900, slow, attributes={**COMPUTE, names.CALL: "time.sleep"})

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary.endswith(
        "by `compute (shop/app.py:12)`, in `time.sleep`, running in this request itself"
    )


def test_several_stalls_by_one_function_are_added_up(builder: IncidentBuilder) -> None:
    """They explain what they took together; another function's are not among them."""
    slow = builder.request("GET /ok", 0, 2_000)
    for start_ms in (100, 600, 1_100):
        stall(builder, start_ms, start_ms + 300)
    stall(builder, 1_500, 1_700, attributes={**COMPUTE, names.FUNCTION: "other"})

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert "for 900ms of the 2s of `GET /ok` (45%), 3 times by `compute" in finding.summary
    assert finding.evidence["stalls"] == 3


def test_a_stall_recorded_while_it_went_on_counts_once(builder: IncidentBuilder) -> None:
    """Only the last record of it is believed."""
    slow = builder.request("GET /ok", 0, 2_000)
    for end_ms in (300, 700, 1_100):
        stall(builder, 100, end_ms, attributes={**COMPUTE, names.ONGOING: True})
    stall(builder, 100, 1_300)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.evidence["stalls"] == 1
    assert finding.evidence["duration_ns"] == 1_200_000_000


def test_a_stall_that_nobody_is_waiting_for_is_named_by_its_own_trigger(
    builder: IncidentBuilder,
) -> None:
    """When a callback outside of requests blocked the loop, there is no request to go by."""
    stall(builder, 100, 1_400)

    finding = find(builder, builder.cause("loop_stall", "event loop blocked", None, 1_400))

    assert finding is not None
    assert finding.summary == ("the event loop was blocked for 1.3s by `compute (shop/app.py:12)`")


def test_silent_about_another_loop(builder: IncidentBuilder) -> None:
    """A loop on another thread holds up its own requests only."""
    slow = builder.request("GET /ok", 0, 2_000)
    stall(builder, 100, 1_900, thread_id=12345)

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_about_a_small_part_of_the_time(builder: IncidentBuilder) -> None:
    """A short stall within a long request is not why it was slow."""
    slow = builder.request("GET /ok", 0, 2_000)
    stall(builder, 100, 400)

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_without_a_culprit(builder: IncidentBuilder) -> None:
    """Nobody saw what the loop did, or it did many short things: no function is to blame."""
    slow = builder.request("GET /ok", 0, 2_000)
    stall(builder, 100, 900, attributes={}, name="event loop stalled")
    stall(builder, 900, 1_900, attributes={names.LOOP_STEPS: 9}, name="event loop saturated")

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_when_a_collection_was_the_reason(builder: IncidentBuilder) -> None:
    """The function in which garbage collection happened to begin did nothing wrong."""
    slow = builder.request("GET /ok", 0, 2_000)
    stall(builder, 100, 1_900)
    builder.event("gc", "gc pause", 150, 1_850)

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_when_another_trigger_names_no_request(builder: IncidentBuilder) -> None:
    """A signal says nothing of event loops."""
    stall(builder, 100, 1_400)

    assert find(builder, builder.cause("signal", "signal", None, 1_400)) is None


def test_silent_when_the_request_went_on_elsewhere(builder: IncidentBuilder) -> None:
    """A request that runs on a thread of a pool does not mind a blocked loop."""
    slow = builder.request("GET /ok", 0, 2_000)
    stall(builder, 100, 1_900)
    builder.event("stacks", "running", 1_000, span=slow, thread_id=4_711)

    assert find(builder, builder.slow(slow, 2_000)) is None
