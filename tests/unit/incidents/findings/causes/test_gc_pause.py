"""Garbage collections that explain a slow request, or were the trigger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind

from otel_flight.incidents.findings.causes.gc_pause import find_gc_pause
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder, place
from tests.unit.incidents.explanations.test_inferred_spans import sample


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def collection(
    builder: IncidentBuilder, start_ms: float, end_ms: float, span: Span | None = None
) -> None:
    """Record a full collection."""
    builder.event(
        "gc",
        "gc pause",
        start_ms,
        end_ms,
        span=span,
        attributes={"cpython.gc.generation": 2, "cpython.gc.collected_objects": 5},
        places=[place("evict", "/srv/shop/cache.py", 40)],
    )


def find(builder: IncidentBuilder, cause: Cause) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_gc_pause(evidence_of(builder.incident(cause, closed_ms=20_000)))


def test_one_long_collection(builder: IncidentBuilder) -> None:
    """With its generation, its share, and where it ran."""
    slow = builder.request("GET /report", 0, 2_000)
    collection(builder, 200, 1_700)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary == (
        "a full garbage collection (generation 2) stopped the process for 1.5s of the 2s of "
        "`GET /report` (75%); it ran while `evict (shop/cache.py:40)` was allocating, or asked "
        "for it"
    )
    assert finding.explained_share == pytest.approx(0.75)
    assert finding.evidence["collected_objects"] == 5


def test_many_collections_count_together(builder: IncidentBuilder) -> None:
    """Only as far as they fall into the request."""
    slow = builder.request("GET /report", 0, 1_000)
    for start in (-100, 200, 400, 900):
        collection(builder, start, start + 150)

    finding = find(builder, builder.slow(slow, 1_000))

    assert finding is not None
    assert finding.summary.startswith("4 garbage collections stopped the process for 450ms of")
    assert finding.evidence["longest_ns"] == 150_000_000


def test_the_one_that_fired_is_described_without_a_request(builder: IncidentBuilder) -> None:
    """It ran on a thread without a span."""
    collection(builder, 100, 1_300)

    finding = find(builder, builder.cause("gc_pause", "gc pause", None, 1_300))

    assert finding is not None
    assert finding.summary.startswith(
        "a full garbage collection (generation 2) stopped the process for 1.2s; it ran while"
    )


def test_silent_when_it_took_little(builder: IncidentBuilder) -> None:
    """A fifth of the time does not make a request slow."""
    slow = builder.request("GET /report", 0, 2_000)
    collection(builder, 200, 600)

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_about_another_time(builder: IncidentBuilder) -> None:
    """Before and after the request nothing held it up."""
    slow = builder.request("GET /report", 5_000, 6_000)
    collection(builder, 3_000, 4_900)
    collection(builder, 6_100, 7_900)

    assert find(builder, builder.slow(slow, 6_000)) is None


def test_silent_when_another_service_had_to_be_waited_for_anyway(builder: IncidentBuilder) -> None:
    """A call that went on for long after the collection would have taken as long without."""
    slow = builder.open("GET /report", 0)
    builder.span("GET", 10, 1_990, slow, kind=SpanKind.CLIENT)
    builder.end(slow, 2_000)
    collection(builder, 100, 1_100)

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_a_call_that_ended_with_the_collection_was_held_up_by_it(builder: IncidentBuilder) -> None:
    """The answer may have been there long before."""
    slow = builder.open("GET /report", 0)
    builder.span("GET", 10, 1_905, slow, kind=SpanKind.CLIENT)
    builder.end(slow, 2_000)
    collection(builder, 100, 1_900)

    assert find(builder, builder.slow(slow, 2_000)) is not None


def test_silent_when_the_cause_is_a_failure(builder: IncidentBuilder) -> None:
    """Of a request that failed nobody asks what took its time."""
    failed = builder.request("GET /report", 0, 2_000, error="no")
    collection(builder, 200, 1_700)

    assert find(builder, builder.failed(failed, 2_000)) is None


def test_where_most_of_them_ran_is_told(builder: IncidentBuilder) -> None:
    """Not where the longest one did, if it was somewhere else."""
    slow = builder.request("GET /report", 0, 1_000)
    for number, function in enumerate(("load", "load", "run", "load")):
        file = "/srv/shop/app.py" if function == "load" else asyncio.__file__
        builder.event(
            "gc",
            "gc pause",
            number * 250,
            number * 250 + (150 if function == "load" else 200),
            places=[place(function, file, 7)],
        )

    finding = find(builder, builder.slow(slow, 1_000))

    assert finding is not None
    assert finding.summary.endswith(
        "; it ran mostly while `load (shop/app.py:7)` was allocating, or asked for it"
    )


def test_a_packages_function_is_told_where_the_application_has_none(
    builder: IncidentBuilder,
) -> None:
    """As where a framework writes the answer."""
    slow = builder.request("GET /report", 0, 1_000)
    file = "/x/site-packages/framework/routing.py"
    builder.event("gc", "gc pause", 100, 900, places=[place("serialize", file, 7)])

    finding = find(builder, builder.slow(slow, 1_000))

    assert finding is not None
    assert "while `serialize (framework/routing.py:7)` was allocating" in finding.summary


def test_a_function_of_ours_is_told_before_the_loop_between_two(builder: IncidentBuilder) -> None:
    """Most of the time the loop itself made the last object: of tasks, say, that we had begun."""
    slow = builder.request("GET /report", 0, 1_000)
    loop = place("run", "/x/site-packages/uvloop/loop.py", 7)
    builder.event("gc", "gc pause", 100, 300, places=[place("notify", "/srv/shop/app.py", 7)])
    builder.event("gc", "gc pause", 400, 900, places=[loop])

    finding = find(builder, builder.slow(slow, 1_000))

    assert finding is not None
    assert finding.summary.endswith(
        "; it ran among others while `notify (shop/app.py:7)` was allocating, or asked for it"
    )


def test_what_the_request_was_in_is_told_where_only_the_server_ran(
    builder: IncidentBuilder,
) -> None:
    """The objects may be for it; who started the server says nothing."""
    slow = builder.request("GET /report", 0, 1_000)
    server = place("asyncio_run", "/x/site-packages/uvicorn/_compat.py", 30)
    builder.event("gc", "gc pause", 100, 900, places=[server])
    for moment in (50, 950):
        places = [place("view", "/srv/shop/app.py", 3), place("notify", "/srv/shop/app.py", 7)]
        sample(builder, slow, moment, *places)

    finding = find(builder, builder.slow(slow, 1_000))

    assert finding is not None
    assert finding.summary.endswith(
        " (80%); the request was in `notify (shop/app.py:7)`, called by `view`"
    )


def test_a_finalizer_that_it_called_is_told(builder: IncidentBuilder) -> None:
    """By a stack sample in the midst of it: nothing else runs then, and not the stack's own end."""
    slow = builder.request("GET /files", 0, 1_000)
    list_files = place("list_files", "/srv/shop/app.py", 7)
    close = place("close", "/srv/shop/app.py", 40)
    builder.event("gc", "gc pause", 100, 900, places=[list_files], thread_id=7)
    for at_ms, places in (
        (50, [list_files, close]),
        (400, [list_files]),
        (500, [list_files, close]),
    ):
        builder.event("stacks", "running", at_ms, span=slow, places=places, thread_id=7)

    finding = find(builder, builder.slow(slow, 1_000))

    assert finding is not None
    assert finding.summary.endswith(
        "or asked for it; it called `close (shop/app.py:40)`, as a finalizer or the like"
    )


def test_a_function_that_calls_itself_is_no_finalizer(builder: IncidentBuilder) -> None:
    """Its thread was seen in the moment between the beginning and the collection itself."""
    slow = builder.request("GET /files", 0, 1_000)
    stack = [place(each, "/srv/shop/app.py", 7) for each in ("view", "copy", "items", "copy")]
    builder.event("gc", "gc pause", 100, 900, places=stack, thread_id=7)
    builder.event("stacks", "running", 101, span=slow, places=stack, thread_id=7)

    finding = find(builder, builder.slow(slow, 1_000))

    assert finding is not None
    assert finding.summary.endswith("was allocating, or asked for it")
