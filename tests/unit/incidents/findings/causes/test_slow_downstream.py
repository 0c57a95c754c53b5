"""A destination that became slow, against its own past in the window, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind

from otel_flight.incidents.findings.causes.slow_downstream import find_slow_downstream
from otel_flight.incidents.manifest import Finding
from tests.support.incidents.findings import evidence_of, findings_of
from tests.support.incidents.incident_builder import IncidentBuilder

INVENTORY = {"server.address": "inventory", "server.port": 8080}


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def find(builder: IncidentBuilder, slow: Span, end_ms: float) -> Finding | None:
    """Return what the rule says of a slow request."""
    incident = builder.incident(builder.slow(slow, end_ms), closed_ms=20_000)
    return find_slow_downstream(evidence_of(incident))


def call(
    builder: IncidentBuilder,
    parent: Span,
    start_ms: float,
    end_ms: float,
    attributes: dict[str, str | int] | None = None,
) -> None:
    """Record a call by HTTP, which has the method for a name."""
    builder.span(
        "GET", start_ms, end_ms, parent, kind=SpanKind.CLIENT, attributes=attributes or INVENTORY
    )


def record_past(
    builder: IncidentBuilder,
    number: int = 20,
    each_ms: float = 12,
    attributes: dict[str, str | int] | None = None,
) -> None:
    """Record other requests, 100 ms apart, each with one call."""
    for start in range(0, number * 100, 100):
        root = builder.open("GET /items", start)
        call(builder, root, start, start + each_ms, attributes)
        builder.end(root, start + each_ms)


def test_whom_was_called_and_how_fast_it_was_before(builder: IncidentBuilder) -> None:
    """The destination is named, the time it took, and what its calls took until then."""
    record_past(builder)
    root = builder.open("GET /report", 5000)
    call(builder, root, 5010, 7410)
    builder.end(root, 7600)

    finding = find(builder, root, 7600)

    assert finding is not None
    assert finding.summary == (
        "`GET` to inventory:8080 took 2.4s of the 2.6s of `GET /report` (92%); the 20 calls before "
        "took 12ms each"
    )
    assert finding.explained_share == pytest.approx(2388 / 2600)


def test_several_slow_calls_count_together(builder: IncidentBuilder) -> None:
    """Where no call takes most of the time alone, all to one destination do."""
    record_past(builder)
    root = builder.open("GET /report", 5000)
    for number in range(5):
        call(builder, root, 5000 + number * 400, 5390 + number * 400)
    builder.end(root, 7000)

    finding = find(builder, root, 7000)

    assert finding is not None
    assert finding.summary.startswith("5 × `GET` to inventory:8080 took 1.95s of the 2s")
    assert finding.evidence["calls"] == 5


def test_what_others_met_meanwhile_is_said(builder: IncidentBuilder) -> None:
    """Whether the destination was slow for everyone tells it from a costly question."""
    record_past(builder)
    root = builder.open("GET /report", 5000)
    call(builder, root, 5010, 7410)
    builder.end(root, 7600)
    other = builder.open("GET /items", 5500)
    call(builder, other, 5500, 7300)
    builder.end(other, 7300)

    finding = find(builder, root, 7600)

    assert finding is not None
    assert finding.summary.endswith("took 12ms each, those of other requests meanwhile 1.8s")


def test_one_finding_says_so(builder: IncidentBuilder) -> None:
    """The same call is not also found as a slow child, nor many as one call a row."""
    record_past(builder, 40)
    root = builder.open("GET /report", 5000)
    call(builder, root, 5010, 7410)
    builder.end(root, 7600)
    many = builder.open("GET /report", 8000)
    for number in range(10):
        call(builder, many, 8000 + number * 200, 8190 + number * 200)
    builder.end(many, 10_000)

    one_call = findings_of(builder.incident(builder.slow(root, 7600), closed_ms=20_000))
    many_calls = findings_of(builder.incident(builder.slow(many, 10_000), closed_ms=20_000))

    assert [finding.rule for finding in one_call] == ["slow_downstream"]
    assert [finding.rule for finding in many_calls] == ["slow_downstream"]


@pytest.mark.parametrize(
    ("past", "now", "name"),
    [
        pytest.param({"peer.service": "bank"}, {"peer.service": "bank"}, " to bank", id="service"),
        pytest.param(
            {"http.url": "http://a:b@inventory:8080/items/1?full=1"},
            {"http.url": "http://inventory:8080/items/2"},
            " to inventory:8080",
            id="url",
        ),
        pytest.param(
            {"db.system.name": "postgresql", "db.namespace": "shop"},
            {"db.system.name": "postgresql", "db.namespace": "shop"},
            " to postgresql shop",
            id="database",
        ),
        pytest.param({"a": 1}, {"b": 2}, "", id="unknown"),
    ],
)
def test_a_destination_is_known_by_its_attributes(
    builder: IncidentBuilder,
    past: dict[str, str | int],
    now: dict[str, str | int],
    name: str,
) -> None:
    """Old and new semantic conventions name it; without one the span's name must do."""
    record_past(builder, attributes=past)
    root = builder.open("GET /report", 5000)
    call(builder, root, 5010, 7410, now)
    builder.end(root, 7600)

    finding = find(builder, root, 7600)

    assert finding is not None
    assert finding.summary.startswith(f"`GET`{name} took 2.4s")


def test_silent_about_one_that_always_takes_so_long(builder: IncidentBuilder) -> None:
    """A destination as slow as ever is no news."""
    record_past(builder, each_ms=1500)
    root = builder.open("GET /report", 5000)
    call(builder, root, 5010, 7410)
    builder.end(root, 7600)

    assert find(builder, root, 7600) is None


def test_silent_about_one_that_often_takes_so_long(builder: IncidentBuilder) -> None:
    """One call in ten that was just as slow is part of what is usual."""
    record_past(builder, 27)
    for start in range(0, 3000, 1000):
        root = builder.open("GET /items", start)
        call(builder, root, start, start + 2000)
        builder.end(root, start + 2000)
    root = builder.open("GET /report", 6000)
    call(builder, root, 6010, 8410)
    builder.end(root, 8600)

    assert find(builder, root, 8600) is None


def test_silent_with_another_destinations_past(builder: IncidentBuilder) -> None:
    """That the cache answers quickly says nothing of the inventory, though both are called GET."""
    record_past(builder, attributes={"server.address": "cache"})
    root = builder.open("GET /report", 5000)
    call(builder, root, 5010, 7410)
    builder.end(root, 7600)

    assert find(builder, root, 7600) is None


def test_silent_with_little_past(builder: IncidentBuilder) -> None:
    """Nine calls are too few to know what is usual; those during the request do not count."""
    record_past(builder, 9)
    root = builder.open("GET /report", 1000)
    call(builder, root, 1010, 3410)
    builder.end(root, 3600)
    for start in range(1100, 3000, 100):
        other = builder.open("GET /items", start)
        call(builder, other, start, start + 12)
        builder.end(other, start + 12)

    assert find(builder, root, 3600) is None


def test_silent_about_work_of_our_own(builder: IncidentBuilder) -> None:
    """A span that calls nobody is a slow child, not a slow destination."""
    for start in range(0, 2000, 100):
        root = builder.open("GET /items", start)
        builder.span("render", start, start + 12, root)
        builder.end(root, start + 12)
    root = builder.open("GET /report", 5000)
    builder.span("render", 5010, 7410, root)
    builder.end(root, 7600)

    assert find(builder, root, 7600) is None


def test_silent_when_it_explains_little(builder: IncidentBuilder) -> None:
    """A call slower than usual by a tenth of the request is not why the request was slow."""
    record_past(builder)
    root = builder.open("GET /report", 5000)
    call(builder, root, 5010, 5250)
    builder.end(root, 7600)

    assert find(builder, root, 7600) is None
