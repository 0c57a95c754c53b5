"""The slow child: the deepest span whose own time explains the slow request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind

from otel_flight.incidents.findings.places.slow_child import find_slow_child
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place, sample


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def find(builder: IncidentBuilder, cause: Cause, closed_ms: float = 20_000) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_slow_child(evidence_of(builder.incident(cause, closed_ms=closed_ms)))


def test_the_deepest_dominant_span_is_named_with_its_share(builder: IncidentBuilder) -> None:
    """Not the span around it but the one inside that the time was spent in is named."""
    root = builder.open("GET /report", 0)
    handler = builder.open("handler", 10, root)
    builder.span("cache get", 20, 25, handler)
    builder.span("inventory", 30, 2430, handler)
    builder.end(handler, 2500)
    builder.end(root, 2600)

    finding = find(builder, builder.slow(root, 2600))

    assert finding is not None
    assert finding.summary == "`inventory` took 2.4s of the 2.6s of `GET /report` (92%)"
    assert finding.explained_share == pytest.approx(2400 / 2600)


def test_who_made_a_call_is_named(builder: IncidentBuilder) -> None:
    """It is the application's function, as the samples during the call show."""
    root = builder.open("GET /report", 0, kind=SpanKind.SERVER)
    builder.span("GET", 30, 2430, root, kind=SpanKind.CLIENT)
    builder.end(root, 2600)
    library = place("get", file="/x/site-packages/client/api.py")
    for moment in range(300, 2400, 300):
        sample(builder, root, moment, place("view"), place("fetch_rates", line=7), library)

    finding = find(builder, builder.slow(root, 2600))

    assert finding is not None
    assert finding.summary == (
        "`GET` took 2.4s of the 2.6s of `GET /report` (92%), called in `fetch_rates "
        "(shop/app.py:7)`"
    )


def test_where_the_time_of_a_step_was_spent_is_named(builder: IncidentBuilder) -> None:
    """Of a span that is no call: on a busy machine, no rule on functions may say it."""
    root = builder.open("GET /report", 0, kind=SpanKind.SERVER)
    builder.span("price all", 30, 2430, root)
    builder.end(root, 2600)
    for moment in range(300, 2400, 300):
        sample(builder, root, moment, place("view"), place("total_up", line=7))

    finding = find(builder, builder.slow(root, 2600))

    assert finding is not None
    assert finding.summary.endswith("(92%), mostly in `total_up (shop/app.py:7)`")


def test_a_usual_duration_is_quoted(builder: IncidentBuilder) -> None:
    """How long the span takes in other traces of the window stands beside it."""
    for number in range(12):
        other = builder.open("GET /report", number)
        builder.span("inventory", number, number + 12, other)
        builder.end(other, number + 15)
    root = builder.open("GET /report", 100)
    builder.span("inventory", 100, 1900, root)
    builder.end(root, 2100)

    finding = find(builder, builder.slow(root, 2100))

    assert finding is not None
    assert finding.summary.endswith("; it usually takes 12ms")


def test_what_others_met_meanwhile_is_not_usual(builder: IncidentBuilder) -> None:
    """Requests that wait for the same thing at the same time do not tell what is usual."""
    root = builder.open("GET /report", 100)
    for number in range(12):
        other = builder.open("GET /report", 100 + number)
        builder.span("inventory", 100 + number, 1900, other)
        builder.end(other, 2000)
    builder.span("inventory", 100, 1900, root)
    builder.end(root, 2100)

    finding = find(builder, builder.slow(root, 2100))

    assert finding is not None
    assert "usually" not in finding.summary


def test_an_open_child_is_said_to_be_open(builder: IncidentBuilder) -> None:
    """A child that has not ended counts until the incident closed, and is called open."""
    root = builder.open("GET /report", 0)
    builder.span("wait for lock", 500, None, root)

    finding = find(builder, builder.slow(root, 1000, trigger="slow_open_root"), closed_ms=3000)

    assert finding is not None
    assert finding.summary.startswith("`wait for lock` was open for 2.5s of the 3s")


def test_time_after_the_request_does_not_count(builder: IncidentBuilder) -> None:
    """Of a child that goes on in the background only the part within the request is counted."""
    root = builder.open("GET /report", 0)
    background = builder.open("send mail", 1900, root)
    builder.end(root, 2000)
    builder.end(background, 9000)

    assert find(builder, builder.slow(root, 2000)) is None


def test_only_what_lies_within_the_request_is_measured(builder: IncidentBuilder) -> None:
    """A child that outlives the request, and its children, count as far as the request went."""
    root = builder.open("GET /report", 0)
    stream = builder.open("stream", 400, root)
    builder.span("connect", 500, 700, stream)
    builder.end(root, 2000)
    builder.span("send", 2000, 8000, stream)
    builder.end(stream, 9000)

    finding = find(builder, builder.slow(root, 2000))

    assert finding is not None
    assert finding.summary == (
        "`stream` took 1.6s of the 2s of `GET /report` (80%), 1.4s of it outside its child spans"
    )


def test_silent_when_many_children_share_the_time(builder: IncidentBuilder) -> None:
    """The span around many small calls is not blamed for them."""
    root = builder.open("GET /report", 0)
    handler = builder.open("handler", 10, root)
    for number in range(20):
        builder.span("select", 20 + number * 100, 110 + number * 100, handler)
    builder.end(handler, 2090)
    builder.end(root, 2100)

    assert find(builder, builder.slow(root, 2100)) is None


def test_silent_when_the_time_is_in_the_root(builder: IncidentBuilder) -> None:
    """A request that spent its time outside its children has no slow child."""
    root = builder.open("GET /report", 0)
    builder.span("cache get", 20, 25, root)
    builder.end(root, 2600)

    assert find(builder, builder.slow(root, 2600)) is None


def test_silent_when_the_cause_is_not_slowness(builder: IncidentBuilder) -> None:
    """Of a request that failed fast, nobody asks what took its time."""
    root = builder.open("GET /report", 0)
    builder.span("charge card", 1, 9, root)
    builder.end(root, 10, error="declined")

    assert find(builder, builder.failed(root, 10)) is None


def test_silent_for_a_slow_request_of_another_trace(builder: IncidentBuilder) -> None:
    """A slow request that only joined the incident of another does not explain that other."""
    failed = builder.span("GET /fails", 0, 10, error="no")
    root = builder.open("GET /report", 0)
    builder.span("inventory", 30, 2430, root)
    builder.end(root, 2600)
    incident = builder.incident(
        builder.failed(failed, 10), builder.slow(root, 2600), closed_ms=3000
    )

    assert find_slow_child(evidence_of(incident)) is None


def test_watching_for_the_client_to_leave_is_no_work(builder: IncidentBuilder) -> None:
    """The instrumentation of ASGI has a span for it, as long as a response that is streamed."""
    root = builder.open("GET /export", 0)
    attributes = {"asgi.event.type": "http.disconnect"}
    builder.span("GET /export http receive", 1, 1999, root, attributes=attributes)
    builder.span("read orders", 2, 1998, root)
    builder.end(root, 2000)

    finding = find(builder, builder.slow(root, 2000))

    assert finding is not None
    assert finding.summary.startswith("`read orders` took 2s of the 2s of `GET /export`")
