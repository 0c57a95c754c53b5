"""The exception that ended the process or a task, where that is what fired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.incidents.findings.failures.unhandled_exception import find_unhandled_exception
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names
from tests.support.incidents.findings import evidence_of, findings_of
from tests.support.incidents.incident_builder import IncidentBuilder, place

SAID = {
    names.TYPE: "shop.errors.NoOrder",
    names.MESSAGE: "7",
    "code.function.name": "look_up",
    "code.file.path": "/srv/shop/orders.py",
    "code.line.number": 5,
}


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def fire(builder: IncidentBuilder, ended: str, where: str = "", at_ms: float = 100) -> Cause:
    """Record an exception that ended something, and return the cause it is."""
    said: dict[str, Any] = {**SAID, names.ENDED: ended, names.WHERE: where}
    places = [place("main", "/srv/shop/run.py", 3), place("look_up", "/srv/shop/orders.py", 5)]
    builder.event(
        source_names.EXCEPTIONS,
        event_names.UNHANDLED_EXCEPTION,
        at_ms,
        attributes=said,
        places=places,
    )
    return builder.cause("unhandled_exception", "unhandled exception", None, at_ms, said)


def find(builder: IncidentBuilder, *causes: Cause) -> Finding | None:
    """Return what the rule says of an incident with these causes."""
    return find_unhandled_exception(evidence_of(builder.incident(*causes, closed_ms=20_000)))


def test_the_end_of_the_process(builder: IncidentBuilder) -> None:
    """What it died of, and in which function."""
    finding = find(builder, fire(builder, names.MAIN_THREAD, "MainThread"))

    assert finding is not None
    assert finding.summary == (
        "the main thread ended with NoOrder: 7 in `look_up (shop/orders.py:5)`"
    )
    assert finding.evidence == {
        names.TYPE: "shop.errors.NoOrder",
        names.MESSAGE: "7",
        names.WHERE: "MainThread",
        "code.location": "look_up (shop/orders.py:5)",
        "ended": names.MAIN_THREAD,
    }


def test_the_end_of_a_task(builder: IncidentBuilder) -> None:
    """With what asyncio says of it."""
    finding = find(builder, fire(builder, names.TASK, "Task exception was never retrieved"))

    assert finding is not None
    assert finding.summary == (
        "an asyncio task or callback ended with NoOrder: 7 in `look_up (shop/orders.py:5)`: "
        "`Task exception was never retrieved`"
    )


def test_it_comes_first(builder: IncidentBuilder) -> None:
    """Of all that is found."""
    cause = fire(builder, names.MAIN_THREAD)

    assert findings_of(builder.incident(cause, closed_ms=20_000))[0].rule == "unhandled_exception"


def test_an_event_that_left_the_window(builder: IncidentBuilder) -> None:
    """The cause itself says enough."""
    cause = builder.cause(
        "unhandled_exception",
        "unhandled exception",
        None,
        100,
        {**SAID, names.ENDED: names.MAIN_THREAD},
    )

    finding = find(builder, cause)

    assert finding is not None
    assert "`look_up (shop/orders.py:5)`" in finding.summary


@pytest.mark.parametrize("ended", [names.THREAD, ""])
def test_silent_about_threads(builder: IncidentBuilder, ended: str) -> None:
    """Another rule tells of them."""
    assert find(builder, fire(builder, ended)) is None


def test_silent_where_something_else_fired(builder: IncidentBuilder) -> None:
    """Whatever else happened at the time."""
    cause = fire(builder, names.TASK)
    slow = builder.request("GET /", 0, 5000)

    assert find(builder, builder.slow(slow, 5000), cause) is None
    assert find(builder) is None
