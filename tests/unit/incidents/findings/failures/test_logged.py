"""The log record that fired is repeated, with its line of the program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.incidents.findings.failures.logged import find_logged
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.names import event_names, source_names
from otel_flight.names import log_attributes as names
from tests.support.incidents.findings import evidence_of, findings_of
from tests.support.incidents.incident_builder import IncidentBuilder, place

SAID = {
    names.LOGGER: "shop.orders",
    names.SEVERITY: "ERROR",
    names.LEVEL: 40,
    names.MESSAGE: "no order 7",
    "code.function.name": "pay",
    "code.file.path": "/srv/shop/orders.py",
    "code.line.number": 5,
}


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def fire(builder: IncidentBuilder, span: Any = None, **more: Any) -> Cause:
    """Log a record, and return the cause it is."""
    said = {**SAID, **more}
    places = [place("look_up", "/srv/shop/store.py", 9)] if "exception.type" in said else []
    builder.event(
        source_names.LOGS, event_names.LOG_RECORD, 100, span=span, attributes=said, places=places
    )
    return builder.cause("log_record", "log record ERROR", span, 100, said)


def find(builder: IncidentBuilder, *causes: Cause) -> Finding | None:
    """Return what the rule says of an incident with these causes."""
    return find_logged(evidence_of(builder.incident(*causes, closed_ms=20_000)))


def test_a_record_is_repeated(builder: IncidentBuilder) -> None:
    """Who said what, and where."""
    finding = find(builder, fire(builder))

    assert finding is not None
    assert finding.summary == (
        "`shop.orders` logged ERROR: no order 7, in `pay (shop/orders.py:5)`"
    )
    assert finding.evidence == {
        names.LOGGER: "shop.orders",
        names.SEVERITY: "ERROR",
        names.MESSAGE: "no order 7",
        "code.location": "pay (shop/orders.py:5)",
    }


def test_its_exception_is_named(builder: IncidentBuilder) -> None:
    """With its own place, which is another."""
    cause = fire(builder, **{"exception.type": "KeyError", "exception.message": "7"})

    finding = find(builder, cause)

    assert finding is not None
    assert finding.summary.endswith("; it was about KeyError: 7 in `look_up (shop/store.py:9)`")


def test_it_comes_first(builder: IncidentBuilder) -> None:
    """Also where the span it was logged in has failed."""
    root = builder.open("POST /pay", 0)
    cause = fire(builder, root)
    builder.end(root, 200, error=KeyError("7"))

    findings = findings_of(builder.incident(cause, closed_ms=20_000))

    assert [finding.rule for finding in findings[:2]] == ["logged", "error_origin"]


def test_a_message_of_many_lines_stays_one(builder: IncidentBuilder) -> None:
    """And short."""
    finding = find(builder, fire(builder, **{names.MESSAGE: "a\nb\x1b[31m" + "x" * 5000}))

    assert finding is not None
    assert "logged ERROR: a b [31mx" in finding.summary
    assert len(finding.summary) < 400


def test_silent_where_something_else_fired(builder: IncidentBuilder) -> None:
    """Other records of the window are not what the incident is about."""
    cause = fire(builder)
    slow = builder.request("GET /", 0, 5000)

    assert find(builder, builder.slow(slow, 5000), cause) is None
    assert find(builder) is None
