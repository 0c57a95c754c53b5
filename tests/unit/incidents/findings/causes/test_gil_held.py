"""One thread that did not let go of the interpreter."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind

from otel_flight.incidents.evidence.durations.pauses import find_pauses
from otel_flight.incidents.findings.causes.gil_held import find_gil_held
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder, place

CHECK = {
    "code.function.name": "check",
    "code.file.path": "/srv/shop/names.py",
    "code.line.number": 18,
}
ELSEWHERE = threading.get_ident() + 1
MS = 1_000_000


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def held(
    builder: IncidentBuilder,
    start_ms: float,
    end_ms: float,
    span: Span | None = None,
    *,
    attributes: Mapping[str, Any] = CHECK,
    name: str = "GIL held",
    thread_id: int = ELSEWHERE,
) -> None:
    """Record that a thread held the interpreter."""
    builder.event(
        "descheduling",
        name,
        start_ms,
        end_ms,
        span=span,
        attributes=attributes,
        thread_id=thread_id,
    )


def find(builder: IncidentBuilder, cause: Cause) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_gil_held(evidence_of(builder.incident(cause, closed_ms=20_000)))


def test_the_function_of_another_request(builder: IncidentBuilder) -> None:
    """Several holds count together after which the same function was seen."""
    other = builder.request("GET /import", 100, 1_900)
    slow = builder.request("GET /quick", 0, 2_000)
    held(builder, 200, 900, other)
    held(builder, 1_000, 1_700, other)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary == (
        "a thread held the interpreter's lock (GIL) for 1.4s of the 2s of `GET /quick` (70%), so "
        "that no other could run; right after each of the 2 times it was in "
        "`check (shop/names.py:18)`, in another request, `GET /import`"
    )
    assert finding.evidence["holds"] == 2


def test_the_function_is_not_said_to_be_the_one(builder: IncidentBuilder) -> None:
    """It was seen after the hold, as sentence and evidence say: by then the next one may run."""
    slow = builder.request("GET /import", 0, 2_000)
    attributes = {**CHECK, "flight_recorder.holder.cpu_ns": 1_400 * MS}
    held(builder, 200, 1_700, slow, attributes=attributes)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert "; right after it was in `check (shop/names.py:18)`" in finding.summary
    assert finding.evidence["seen_right_after"].items() >= CHECK.items()
    assert finding.evidence["flight_recorder.holder.cpu_ns"] == 1_400 * MS
    assert not CHECK.keys() & finding.evidence.keys()


def test_the_request_itself(builder: IncidentBuilder) -> None:
    """It was slow because of what it did."""
    slow = builder.request("GET /import", 0, 2_000)
    held(builder, 200, 1_700, slow, thread_id=threading.get_ident())

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary.endswith("`check (shop/names.py:18)`, in this request itself")


def test_a_stack_that_was_written_meanwhile_is_better(builder: IncidentBuilder) -> None:
    """Of the thread that held it: the function after it is not blamed."""
    slow = builder.request("GET /import", 0, 5_000)
    for thread_id, function in ((ELSEWHERE, "other"), (threading.get_ident(), "match")):
        builder.event(
            "stacks",
            "running",
            2_200,
            thread_id=thread_id,
            span=slow,
            attributes={"flight_recorder.without_gil": True},
            places=[place(function, "/srv/shop/names.py", 7)],
        )
    held(builder, 200, 4_700, slow, thread_id=threading.get_ident())

    finding = find(builder, builder.slow(slow, 5_000))

    assert finding is not None
    assert "; meanwhile it was in `match (shop/names.py:7)`" in finding.summary
    assert finding.evidence["seen_right_after"]["code.function.name"] == "match"


def test_where_it_was_before_a_package_is_told(builder: IncidentBuilder) -> None:
    """A server may send by then what a function has made; one that was long over does not count."""
    sending = {**CHECK, "code.file.path": "/x/site-packages/gunicorn/util.py"}
    slow = builder.request("GET /import", 0, 2_000)
    for moment, function in ((20, "load"), (380, "match")):
        places = [place(function, "/srv/shop/names.py", 7)]
        builder.event("stacks", "running", moment, thread_id=ELSEWHERE, span=slow, places=places)
    held(builder, 400, 1_900, slow, attributes=sending)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert (
        "; just before it was in `match (shop/names.py:7)`, right after it was in "
        "`check (gunicorn/util.py:18)`"
    ) in finding.summary


def test_a_thread_without_a_request(builder: IncidentBuilder) -> None:
    """A job in the background."""
    slow = builder.request("GET /quick", 0, 2_000)
    held(builder, 200, 1_700)

    finding = find(builder, builder.slow(slow, 2_000))

    assert finding is not None
    assert finding.summary.endswith("it was in `check (shop/names.py:18)`, on another thread")


def test_silent_when_the_thread_is_not_known(builder: IncidentBuilder) -> None:
    """No name is better than a wrong one."""
    slow = builder.request("GET /quick", 0, 2_000)
    held(builder, 200, 1_700, attributes={}, thread_id=0)

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_when_threads_took_turns(builder: IncidentBuilder) -> None:
    """That stops nobody, and is no pause in the request's trace."""
    slow = builder.request("GET /quick", 0, 2_000)
    held(builder, 200, 1_700, name="GIL contended")
    incident = builder.incident(builder.slow(slow, 2_000), closed_ms=20_000)

    view = evidence_of(incident)

    assert find_gil_held(view) is None
    assert list(find_pauses(view)) == []


def test_silent_about_a_garbage_collection(builder: IncidentBuilder) -> None:
    """It holds the interpreter as well, but is a pause of its own, and only one."""
    slow = builder.request("GET /quick", 0, 2_000)
    held(builder, 250, 1_700)
    builder.event("gc", "gc pause", 200, 1_690)
    view = evidence_of(builder.incident(builder.slow(slow, 2_000), closed_ms=20_000))

    assert find_gil_held(view) is None
    assert [pause.event.record.name for pause in find_pauses(view)] == ["gc pause"]


def test_silent_when_the_holder_was_throttled(builder: IncidentBuilder) -> None:
    """It could not let go because it had no processor."""
    slow = builder.request("GET /quick", 0, 2_000)
    held(builder, 200, 1_700)
    attributes = {"flight_recorder.held_back_ns": 1_600 * MS}
    builder.event("throttling", "cpu throttled", 0, 2_000, attributes=attributes)

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_when_it_took_little(builder: IncidentBuilder) -> None:
    """Or when several functions did, each a little."""
    slow = builder.request("GET /quick", 0, 2_000)
    held(builder, 0, 500)
    held(builder, 600, 1_100, attributes={**CHECK, "code.function.name": "other"})

    assert find(builder, builder.slow(slow, 2_000)) is None


def test_silent_when_another_service_had_to_be_waited_for_anyway(builder: IncidentBuilder) -> None:
    """A call that went on for long afterwards."""
    slow = builder.open("GET /quick", 0)
    builder.span("GET", 10, 1_990, slow, kind=SpanKind.CLIENT)
    builder.end(slow, 2_000)
    held(builder, 100, 1_100)

    assert find(builder, builder.slow(slow, 2_000)) is None
