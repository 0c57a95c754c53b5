"""What was cut off from above is told as that, by the exceptions that time limits really raise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_flight.incidents.findings.failures.cancelled_from_above import find_cancelled_from_above
from otel_flight.incidents.manifest import Cause, Finding
from tests.support.incidents.findings import evidence_of, findings_of
from tests.support.incidents.incident_builder import IncidentBuilder


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def find(builder: IncidentBuilder, cause: Cause) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_cancelled_from_above(evidence_of(builder.incident(cause, closed_ms=20_000)))


async def fetch() -> None:
    """Wait for something that does not come."""
    await asyncio.sleep(60)


async def handle() -> None:
    """Wait for it, but not for long."""
    await asyncio.wait_for(fetch(), 0.001)


async def handle_by_hand() -> None:
    """Give up without cancelling anything."""
    raise TimeoutError


async def fail_in_a_while() -> None:
    """Time out on a socket, as far as the exception says."""
    raise TimeoutError(110, "Connection timed out")


async def cancel_it() -> None:
    """Be cancelled by someone else."""
    task = asyncio.ensure_future(fetch())
    await asyncio.sleep(0)
    task.cancel()
    await task


def raised_by(work: Callable[[], Coroutine[Any, Any, None]]) -> BaseException:
    """Return what a coroutine raises, with its traceback and chain."""

    async def main() -> BaseException:
        try:
            await work()
        except BaseException as error:  # noqa: BLE001
            return error
        pytest.fail("it did not raise")

    return asyncio.run(main())


def line_of(function: Any, offset: int = 2) -> int:
    """Return a line of a function."""
    line: int = function.__code__.co_firstlineno + offset
    return line


def test_a_time_limit_and_what_it_cut_off(builder: IncidentBuilder) -> None:
    """Where the limit is, what was running, and in which function that was."""
    root = builder.open("GET /orders", 0, kind=SpanKind.SERVER)
    outer = builder.open("fetch", 10, root)
    builder.span("connect", 20, 1499, outer)
    builder.end(outer, 1499.5)
    builder.end(root, 1500, error=raised_by(handle))

    finding = find(builder, builder.failed(root, 1500))

    assert finding is not None
    here = "failures/test_cancelled_from_above.py"
    assert finding.summary == (
        "`GET /orders` ran into a time limit after 1.5s, set in "
        f"`handle ({here}:{line_of(handle)})`; `connect` was running within it, in "
        f"`fetch ({here}:{line_of(fetch)})`"
    )
    assert finding.evidence["cancelled"] == "connect"
    assert finding.evidence["code.location"] == f"fetch ({here}:{line_of(fetch)})"


def test_it_comes_before_the_error_it_ends_in(builder: IncidentBuilder) -> None:
    """A timeout that began with a cancellation is no failure of what was cancelled."""
    root = builder.open("GET /orders", 0)
    builder.span("fetch", 10, 1499, root)
    builder.end(root, 1500, error=raised_by(handle))
    causes = builder.failed(root, 1500), builder.slow(root, 1500)

    findings = findings_of(builder.incident(*causes, closed_ms=20_000))

    assert findings[0].rule == "cancelled_from_above"
    assert findings[0].explained_share == 1


def test_a_limit_below_the_trigger(builder: IncidentBuilder) -> None:
    """The failure above comes from it; the span with the limit is named."""
    error = raised_by(handle)
    root = builder.open("GET /orders", 0)
    inventory = builder.open("inventory", 10, root)
    builder.span("fetch", 20, 499, inventory)
    builder.end(inventory, 500, error=error)
    builder.end(root, 510, error=error)

    finding = find(builder, builder.failed(root, 510))

    assert finding is not None
    assert finding.summary.startswith("`inventory` ran into a time limit after 490ms, set in ")


def test_a_slow_request_that_handled_its_time_limit(builder: IncidentBuilder) -> None:
    """It explains the part of the time that was waited."""
    root = builder.open("GET /orders", 0)
    inventory = builder.open("inventory", 100, root)
    builder.end(inventory, 1600, error=raised_by(handle))
    builder.end(root, 2000)

    finding = find(builder, builder.slow(root, 2000))

    assert finding is not None
    assert finding.explained_share == 0.75


def test_a_job_that_its_worker_ended(builder: IncidentBuilder) -> None:
    """By the exceptions that Celery and RQ raise into it."""

    class SoftTimeLimitExceeded(Exception):  # noqa: N818
        pass

    async def job() -> None:
        raise SoftTimeLimitExceeded

    root = builder.span("report", 0, 3000, error=raised_by(job))

    finding = find(builder, builder.failed(root, 3000))

    assert finding is not None
    assert finding.summary.startswith("`report` ran into its worker's time limit after 3s, in `")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"rpc.grpc.status_code": 1}, "`Get` was cancelled by its caller, after 3s"),
        (
            {"rpc.grpc.status_code": 4},
            "`Get` had a deadline, set by its caller, which passed, after 3s",
        ),
        ({"http.response.status_code": 499}, "`Get` was given up by its client after 3s"),
    ],
)
def test_what_the_server_says_of_the_caller(
    builder: IncidentBuilder, attributes: dict[str, Any], expected: str
) -> None:
    """Status codes that mean nobody wants the answer any more."""
    root = builder.span("Get", 0, 3000, kind=SpanKind.SERVER, attributes=attributes)

    finding = find(builder, builder.slow(root, 3000))

    assert finding is not None
    assert finding.summary == expected
    assert finding.explained_share == 0


def asgi(builder: IncidentBuilder, root: Any, event: str, start_ms: float, end_ms: float) -> None:
    """Record a span of the instrumentation of ASGI."""
    name = "GET / http send" if event.startswith("http.response") else "GET / http receive"
    builder.span(name, start_ms, end_ms, root, attributes={"asgi.event.type": event})


def test_a_client_that_left(builder: IncidentBuilder) -> None:
    """What ran for it ended when it was gone."""
    root = builder.open("GET /stream", 0, kind=SpanKind.SERVER)
    asgi(builder, root, "http.response.start", 1, 2)
    asgi(builder, root, "http.disconnect", 2, 1505)
    query = builder.open("query", 2, root)
    asgi(builder, query, "http.response.body", 1500, 1501)
    builder.end(query, 1506)
    builder.end(root, 1507)

    finding = find(builder, builder.slow(root, 1507))

    assert finding is not None
    assert finding.summary == (
        "`GET /stream` was given up by its client after 1.5s; `query` was running within it"
    )
    assert finding.explained_share == 0


def test_a_request_that_recorded_its_cancellation(builder: IncidentBuilder) -> None:
    """As some instrumentations do; with where it was."""
    root = builder.open("GET /orders", 0)
    builder.span("fetch", 10, 799, root)
    builder.end(root, 800, error=raised_by(cancel_it))

    finding = find(builder, builder.failed(root, 800))

    assert finding is not None
    assert finding.summary.startswith(
        "`GET /orders` was cancelled from outside after 800ms; `fetch` was running within it, in "
        "`fetch (failures/test_cancelled_from_above.py:"
    )


@pytest.mark.parametrize("work", [handle_by_hand, fail_in_a_while])
def test_silent_about_other_timeouts(
    builder: IncidentBuilder, work: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """One that cancelled nothing is an error like any other."""
    root = builder.open("GET /orders", 0)
    builder.span("fetch", 10, 799, root)
    builder.end(root, 800, error=raised_by(work))

    assert find(builder, builder.failed(root, 800)) is None


def test_silent_about_a_limit_that_was_handled(builder: IncidentBuilder) -> None:
    """The trigger failed of something else afterwards."""
    root = builder.open("GET /orders", 0)
    inventory = builder.open("inventory", 10, root)
    builder.end(inventory, 500, error=raised_by(handle))
    builder.end(root, 900, error=KeyError("x"))

    assert find(builder, builder.failed(root, 900)) is None


def test_silent_about_a_short_limit_in_a_slow_request(builder: IncidentBuilder) -> None:
    """Something else made it slow."""
    root = builder.open("GET /orders", 0)
    inventory = builder.open("inventory", 10, root)
    builder.end(inventory, 110, error=raised_by(handle))
    builder.end(root, 5000)

    assert find(builder, builder.slow(root, 5000)) is None


def test_silent_about_a_limit_above_that_came_later(builder: IncidentBuilder) -> None:
    """The trigger failed by itself; that the request ran into its limit is another story."""
    root = builder.open("GET /orders", 0)
    inner = builder.span("parse", 10, 20, root, error=KeyError("x"))
    builder.end(root, 1000, error=raised_by(handle))

    assert find(builder, builder.failed(inner, 20)) is None


def test_silent_where_something_beside_it_failed(builder: IncidentBuilder) -> None:
    """A task that is cancelled because another one failed is no explanation."""
    root = builder.open("GET /orders", 0)
    inner = builder.span("fetch", 10, 800, root, error=raised_by(cancel_it))
    builder.end(root, 800, error=KeyError("x"))

    assert find(builder, builder.failed(inner, 800)) is None


def test_silent_about_a_response_that_was_complete(builder: IncidentBuilder) -> None:
    """A server says "disconnect" then as well: after the request, or before work that follows."""
    whole = builder.open("GET /whole", 0, kind=SpanKind.SERVER)
    asgi(builder, whole, "http.response.body", 1400, 1401)
    builder.span("query", 2, 1399, whole)
    builder.end(whole, 1500)
    asgi(builder, whole, "http.disconnect", 2, 1501)
    followed = builder.open("GET /followed", 2000, kind=SpanKind.SERVER)
    asgi(builder, followed, "http.response.body", 3400, 3401)
    asgi(builder, followed, "http.disconnect", 2002, 3402)
    builder.span("send mail", 3403, 3405, followed)
    builder.end(followed, 3406)

    assert find(builder, builder.slow(whole, 1500)) is None
    assert find(builder, builder.slow(followed, 3406)) is None


def test_silent_about_an_ordinary_failure(builder: IncidentBuilder) -> None:
    """And about an incident without a request."""
    root = builder.span("GET /orders", 0, 100, error=KeyError("x"))

    assert find(builder, builder.failed(root, 100)) is None
    assert find(builder, builder.cause("manual", "asked", None, 100)) is None


class QueryCanceled(Exception):  # noqa: N818
    """It stands for the one of a driver."""


NAMED = {
    "QueryCanceledError: canceling statement due to statement timeout": "`statement_timeout`",
    "LockNotAvailable: canceling statement due to lock timeout\nLINE 1: SELECT": "`lock_timeout`",
    "IdleInTransactionSessionTimeout: terminating connection": (
        "`idle_in_transaction_session_timeout`"
    ),
    "OperationalError: (1969, 'Query execution was interrupted (max_statement_time exceeded)')": (
        "`max_statement_time`"
    ),
    "OperationalError: (3024, '… maximum statement execution time exceeded')": (
        "`max_execution_time`"
    ),
    "OperationalError: (1205, 'Lock wait timeout exceeded; try restarting transaction')": (
        "`innodb_lock_wait_timeout` or `lock_wait_timeout`"
    ),
    "OperationalError: (2013, 'Lost connection to MySQL server during query (timed out)')": (
        "the client's `read_timeout`"
    ),
    "ReadTimeout: HTTPConnectionPool(host='stock'): Read timed out. (read timeout=0.5)": (
        "the client's of 0.5s"
    ),
    "httpx.ConnectTimeout: ": "the client's",
    "TimeoutError: QueuePool limit of size 1 reached, connection timed out, timeout 0.90": (
        "the pool's of 0.90s"
    ),
}


@pytest.mark.parametrize(("error", "limit"), NAMED.items())
def test_a_limit_that_the_error_names(builder: IncidentBuilder, error: str, limit: str) -> None:
    """Drivers say which one of the database's it was, clients how long theirs is."""
    root = builder.open("GET /orders", 0)
    call = builder.open("SELECT", 100, root)
    builder.end(call, 700, error=error)
    builder.end(root, 1000)

    finding = find(builder, builder.slow(root, 1000))

    assert finding is not None
    assert finding.summary == f"`SELECT` ran into a time limit, {limit}, after 600ms"
    assert finding.explained_share == 0.6


def test_a_limit_of_a_database_is_told_where_it_was_asked(builder: IncidentBuilder) -> None:
    """The traceback of the driver's span ends in the instrumentation: the request's goes on."""

    async def load_orders() -> None:
        try:
            raise QueryCanceled("canceling statement due to statement timeout")
        except QueryCanceled as error:
            raise OSError("no orders") from error

    root = builder.open("GET /orders", 0)
    call = builder.open("SELECT", 100, root)
    builder.end(call, 700, error="QueryCanceled: canceling statement due to statement timeout")
    builder.end(root, 1000, error=raised_by(load_orders))

    finding = find(builder, builder.failed(root, 1000))

    assert finding is not None
    assert finding.summary.startswith(
        "`SELECT` ran into a time limit, `statement_timeout`, after 600ms"
    )
    assert "load_orders (failures/test_cancelled_from_above.py:" in finding.summary


@pytest.mark.parametrize(
    "error", ["QueryCanceled: canceling statement due to user request", "KeyError: 'timeout'"]
)
def test_what_names_no_limit_is_none(builder: IncidentBuilder, error: str) -> None:
    """A statement may be cancelled by somebody, too."""
    root = builder.open("GET /orders", 0)
    call = builder.open("SELECT", 100, root)
    builder.end(call, 700, error=error)
    builder.end(root, 1000)

    assert find(builder, builder.slow(root, 1000)) is None
