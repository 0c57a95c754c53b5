"""An exception that was caught before a failure, which requests that go well do not have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.incidents.findings.failures.swallowed_exception import find_swallowed_exception
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder

FILE = "/srv/shop/orders.py"
SAID = {
    names.TYPE: "shop.errors.NoOrder",
    names.MESSAGE: "7",
    names.CAUGHT: True,
    names.CAUGHT_IN: f"find ({FILE}:12)",
    "code.function.name": "look_up",
    "code.file.path": FILE,
    "code.line.number": 5,
}


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into, with requests that went well."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        for number in range(6):
            builder.request("GET /order", number, number + 0.5)
        yield builder


def raise_in(builder: IncidentBuilder, span: Any, at_ms: float, **more: Any) -> None:
    """Record that an exception was raised in a span."""
    builder.event(
        source_names.EXCEPTIONS,
        event_names.RAISED_EXCEPTION,
        at_ms,
        span=span,
        attributes={**SAID, **more},
    )


def fail(builder: IncidentBuilder, error: Exception | None = None, **more: Any) -> Cause:
    """Record a request that swallows an exception and then fails."""
    root = builder.open("GET /order", 100)
    raise_in(builder, root, 110, **more)
    builder.end(root, 115, error=error or TypeError("'NoneType' is not subscriptable"))
    return builder.failed(root, 115)


def find(builder: IncidentBuilder, cause: Cause) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_swallowed_exception(evidence_of(builder.incident(cause, closed_ms=20_000)))


def test_the_exception_and_who_swallowed_it(builder: IncidentBuilder) -> None:
    """Where it was raised, how long before the failure, and where it ended."""
    finding = find(builder, fail(builder))

    assert finding is not None
    assert finding.summary == (
        "`look_up (shop/orders.py:5)` raised NoOrder: 7, 5ms before `GET /order` failed; it was "
        "caught in `find (shop/orders.py:12)`. No request that went well has it"
    )
    assert finding.evidence["code.location"] == "look_up (shop/orders.py:5)"


def test_silent_where_good_requests_have_it_too(builder: IncidentBuilder) -> None:
    """Then it is how the program works: a miss of a cache, say."""
    good = builder.open("GET /order", 50)
    raise_in(builder, good, 55)
    builder.end(good, 60)

    assert find(builder, fail(builder)) is None


def test_silent_where_too_few_good_requests_are_known(tmp_path: Path) -> None:
    """What is usual cannot be told from the first request."""
    with IncidentBuilder(tmp_path / "another") as builder:
        assert find(builder, fail(builder)) is None


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({names.CAUGHT: False, names.CAUGHT_IN: ""}, id="not-caught"),
        pytest.param(
            {names.CAUGHT_IN: "run (/usr/lib/python3/dist-packages/anyio/_asyncio.py:5)"},
            id="caught-by-a-library",
        ),
        pytest.param({"code.file.path": "/usr/lib/python3.11/json/decoder.py"}, id="a-library's"),
    ],
)
def test_silent_about_other_exceptions(builder: IncidentBuilder, more: dict[str, Any]) -> None:
    """Those that went on, and those within libraries, which raise and catch as they like."""
    assert find(builder, fail(builder, **more)) is None


def test_silent_about_what_the_failure_tells_itself(builder: IncidentBuilder) -> None:
    """An exception it was raised from stands in its traceback."""

    class NoOrder(Exception):  # noqa: N818
        pass

    NoOrder.__module__, NoOrder.__qualname__ = "shop.errors", "NoOrder"
    try:
        try:
            raise NoOrder
        except NoOrder as error:
            raise RuntimeError from error
    except RuntimeError as error:
        cause = fail(builder, error)

    assert find(builder, cause) is None


def test_silent_about_what_another_span_tells(builder: IncidentBuilder) -> None:
    """The span that fired need not be the one with the traceback."""
    error = NameError("x")
    root = builder.open("GET /order", 100)
    raise_in(builder, root, 110, **{names.TYPE: "NameError"})
    sent = builder.span("GET /order send", 112, 113, root, error="500")
    builder.end(root, 115, error=error)

    assert find(builder, builder.failed(sent, 113)) is None


def test_silent_where_nothing_failed(builder: IncidentBuilder) -> None:
    """A slow request has other reasons; so has an incident without a request."""
    root = builder.open("GET /order", 100)
    raise_in(builder, root, 110)
    builder.end(root, 5000)

    assert find(builder, builder.slow(root, 5000)) is None
    assert find(builder, builder.cause("manual", "asked", None, 100)) is None
