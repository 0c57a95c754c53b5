"""A thread that died before the trigger: named with what it died of, and where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.incidents.findings.failures.thread_died import find_thread_died
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names
from tests.support.incidents.findings import evidence_of, findings_of
from tests.support.incidents.incident_builder import IncidentBuilder, place


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def die(
    builder: IncidentBuilder, at_ms: float, thread: str = "consumer", **attributes: Any
) -> None:
    """Record the death of a thread."""
    said = {
        names.ENDED: names.THREAD,
        names.WHERE: thread,
        names.TYPE: "RuntimeError",
        names.MESSAGE: "no order",
        **attributes,
    }
    places = [
        place("Thread.run", "/usr/lib/python3.11/threading.py", 975),
        place("consume", "/srv/shop/jobs.py", 12),
        place("loads", "/usr/lib/python3.11/json/__init__.py", 346),
    ]
    builder.event(
        source_names.EXCEPTIONS,
        event_names.UNHANDLED_EXCEPTION,
        at_ms,
        thread_id=77,
        attributes=said,
        places=places,
    )


def find(builder: IncidentBuilder, *causes: Cause) -> Finding | None:
    """Return what the rule says of an incident with these causes."""
    return find_thread_died(evidence_of(builder.incident(*causes, closed_ms=20_000)))


def fired(builder: IncidentBuilder, at_ms: float, ended: str = names.THREAD) -> Cause:
    """Return the cause of an unhandled exception."""
    return builder.cause(
        "unhandled_exception", "unhandled exception", None, at_ms, {names.ENDED: ended}
    )


def test_the_thread_that_fired_is_named(builder: IncidentBuilder) -> None:
    """With the application's function that failed, and the exception that began it all."""
    link = "KeyError: 'order' in look_up (/srv/shop/orders.py:7)"
    chain: dict[str, Any] = {names.CHAIN: [link, "ValueError: x"]}
    die(builder, 100, **chain)

    finding = find(builder, fired(builder, 100))

    assert finding is not None
    assert finding.summary == (
        "the thread `consumer` died of RuntimeError: no order in `consume (shop/jobs.py:12)`, "
        "which began with KeyError: 'order' in `look_up (shop/orders.py:7)`"
    )
    assert finding.explained_share == 0
    assert finding.evidence == {
        names.TYPE: "RuntimeError",
        names.MESSAGE: "no order",
        names.WHERE: "consumer",
        "code.location": "consume (shop/jobs.py:12)",
        "thread.id": 77,
        "before_ns": 0,
        "deaths": 1,
    }


def test_it_comes_first_where_it_fired(builder: IncidentBuilder) -> None:
    """Of all that is found."""
    builder.request("GET /", 0, 50)
    die(builder, 100)

    findings = findings_of(builder.incident(fired(builder, 100), closed_ms=20_000))

    assert findings[0].rule == "thread_died"


def test_a_death_before_a_slow_request_is_told(builder: IncidentBuilder) -> None:
    """With how long ago; it may be what the request waits for, and does not claim to be."""
    die(builder, 1000)
    slow = builder.request("POST /orders", 3000, 8000)

    finding = find(builder, builder.slow(slow, 8000))

    assert finding is not None
    assert finding.summary.startswith("the thread `consumer` died 7s before the trigger of Runtime")
    assert finding.explained_share == 0


def test_several_deaths_are_counted(builder: IncidentBuilder) -> None:
    """The last one is named."""
    for number in range(3):
        die(builder, 100 + number, f"worker-{number}")

    finding = find(builder, fired(builder, 102))

    assert finding is not None
    assert finding.summary.startswith("the thread `worker-2` died of ")
    assert finding.summary.endswith("; 2 more threads died before it")


def test_a_thread_without_a_name(builder: IncidentBuilder) -> None:
    """As one that was started without `threading`."""
    die(builder, 100, "")

    finding = find(builder, fired(builder, 100))

    assert finding is not None
    assert finding.summary.startswith("a thread died of RuntimeError: no order in `consume (")


def test_silent_without_a_death(builder: IncidentBuilder) -> None:
    """Exceptions that ended something else, finalizers, and those that were caught are none."""
    slow = builder.request("POST /orders", 3000, 8000)
    for name, ended in (
        (event_names.UNHANDLED_EXCEPTION, names.TASK),
        (event_names.UNHANDLED_EXCEPTION, names.MAIN_THREAD),
        (event_names.UNRAISABLE_EXCEPTION, names.FINALIZER),
        (event_names.RAISED_EXCEPTION, names.THREAD),
    ):
        builder.event(source_names.EXCEPTIONS, name, 100, attributes={names.ENDED: ended})

    assert find(builder, builder.slow(slow, 8000)) is None


def test_silent_about_what_came_after_the_trigger(builder: IncidentBuilder) -> None:
    """It cannot be the reason."""
    slow = builder.request("POST /orders", 3000, 8000)
    die(builder, 8500)

    assert find(builder, builder.slow(slow, 8000)) is None


def test_silent_where_another_exception_fired(builder: IncidentBuilder) -> None:
    """That one is what the incident is about."""
    die(builder, 100)

    assert find(builder, fired(builder, 5000, names.MAIN_THREAD)) is None


def test_silent_where_such_requests_have_gone_well_since(builder: IncidentBuilder) -> None:
    """They did not need the thread, so this one did not either."""
    die(builder, 1000)
    builder.request("POST /orders", 1500, 1600)
    slow = builder.request("POST /orders", 3000, 8000)

    assert find(builder, builder.slow(slow, 8000)) is None


@pytest.mark.parametrize(
    ("name", "start_ms", "end_ms", "error"),
    [
        pytest.param("GET /other", 1500, 1600, None, id="another-name"),
        pytest.param("POST /orders", 500, 600, None, id="before-the-death"),
        pytest.param("POST /orders", 1500, 1600, "no", id="failed"),
        pytest.param("POST /orders", 1500, 6500, None, id="slow-too"),
    ],
)
def test_other_requests_say_nothing_about_it(
    builder: IncidentBuilder, name: str, start_ms: float, end_ms: float, error: str | None
) -> None:
    """Only one like the trigger's, after the death, and well."""
    die(builder, 1000)
    builder.request(name, start_ms, end_ms, error=error)
    slow = builder.request("POST /orders", 7000, 12_000)

    assert find(builder, builder.slow(slow, 12_000)) is not None
