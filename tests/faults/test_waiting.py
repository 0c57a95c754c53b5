"""Requests that wait for what others have: a lock, a thread or a connection of a pool."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.faults.fault_run import Fault, run_healthy, run_with_fault

HELD_LOCK: Final = Fault(
    program="held_lock",
    server="gunicorn",
    requests=("/export", "/add"),
    trigger="slow_root",
    environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /export*=off"},
)
ACQUIRED_LOCK: Final = Fault(
    program="acquired_lock",
    server="gunicorn",
    requests=("/close", "/sell"),
    trigger="slow_root",
    environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /close=off"},
)
EXHAUSTED_THREADS: Final = Fault(
    program="exhausted_threads",
    requests=("/report", "/report", "/report", "/quick"),
    trigger="slow_root",
    environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /report*=off"},
)
BUSY_EXECUTOR: Final = Fault(
    program="busy_executor",
    requests=("/report", "/report", "/quick"),
    trigger="slow_root",
    environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /report*=off"},
)
EXHAUSTED_CONNECTIONS: Final = Fault(
    program="exhausted_connections",
    server="gunicorn",
    requests=("/count", "/report", "/report", "/quick"),
    trigger="slow_root",
    environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /report=off,GET /count=off"},
)
ONE_CONNECTION: Final = Fault(
    program="one_connection",
    server="gunicorn",
    requests=("/history", "/rate"),
    trigger="slow_root",
    environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /history=off"},
)
ALL: Final = (
    HELD_LOCK,
    ACQUIRED_LOCK,
    EXHAUSTED_THREADS,
    BUSY_EXECUTOR,
    EXHAUSTED_CONNECTIONS,
    ONE_CONNECTION,
)


def test_the_lock_is_named_and_what_its_holder_did(tmp_path: Path) -> None:
    """Which lock, in which function, and which function of which other request held it."""
    run = run_with_fault(HELD_LOCK, tmp_path)

    first = run.findings[0]
    assert first.rule == "lock_wait", run.findings
    assert first.summary.startswith("`GET /add` waited at least")
    assert "for the lock `self._lock` in `" in first.summary
    assert "add (programs/held_lock.py:" in first.summary
    assert "_write (programs/held_lock.py:" in first.summary
    assert first.summary.endswith("held it, in another request, `GET /export`")
    assert first.explained_share > 0.3
    inferred = [each.name for each in run.explanations if each.kind == "inferred"]
    assert inferred[-1] == "waiting: lock"


def test_the_holder_is_named_of_a_lock_that_is_acquired_by_hand(tmp_path: Path) -> None:
    """Between `acquire` and `release` as well as in a `with` block."""
    run = run_with_fault(ACQUIRED_LOCK, tmp_path)

    first = run.findings[0]
    assert first.rule == "lock_wait", run.findings
    assert first.summary.startswith("`GET /sell` waited at least")
    assert "for the lock `self._lock` in `" in first.summary
    assert "sell (programs/acquired_lock.py:" in first.summary
    assert "_print (programs/acquired_lock.py:" in first.summary
    assert first.summary.endswith("held it, in another request, `GET /close`")


def test_the_thread_pool_is_named_and_who_keeps_its_threads(tmp_path: Path) -> None:
    """How many threads there are, and what all of them do, for which requests."""
    run = run_with_fault(EXHAUSTED_THREADS, tmp_path)

    first = run.findings[0]
    assert first.rule == "pool_exhausted", run.findings
    assert first.summary.startswith("`GET /quick` waited at least")
    assert "for a free thread of `anyio's worker threads`; all 3 were busy: 3 × in" in first.summary
    assert "`fetch_rows (programs/exhausted_threads.py:" in first.summary
    assert first.summary.endswith("for `GET /report`")


def test_an_executor_is_named_and_who_keeps_its_threads(tmp_path: Path) -> None:
    """A pool of the application's own, whose work has no context, is followed by its futures."""
    run = run_with_fault(BUSY_EXECUTOR, tmp_path)

    first = run.findings[0]
    assert first.rule == "pool_exhausted", run.findings
    assert "for a free thread of `thumbnails`; all 2 were busy: 2 × in" in first.summary
    assert "`draw (programs/busy_executor.py:" in first.summary
    assert first.summary.endswith("for `GET /report`")


def test_the_pool_of_a_database_is_named_and_who_has_its_connections(tmp_path: Path) -> None:
    """SQLAlchemy's pool of two, and the two requests that keep a connection while they do more.

    Not the one that is as slow, but has given its connection back.
    """
    run = run_with_fault(EXHAUSTED_CONNECTIONS, tmp_path)

    first = run.findings[0]
    assert first.rule == "pool_exhausted", run.findings
    assert first.summary.startswith("`GET /quick` waited at least")
    assert "for a connection from the pool of `sqlalchemy` in `quick (" in first.summary
    assert "who had one: 2 × in `send_mail (programs/exhausted_connections.py:" in first.summary
    assert first.summary.endswith("for `GET /report`")
    assert first.explained_share > 0.3
    inferred = [each.name for each in run.explanations if each.kind == "inferred"]
    assert inferred[-1] == "waiting: connection pool"


def test_the_pool_of_a_client_is_named_and_who_has_its_connection(tmp_path: Path) -> None:
    """The one connection that `requests` may keep to a service, and what it is kept for."""
    run = run_with_fault(ONE_CONNECTION, tmp_path)

    first = run.findings[0]
    assert first.rule == "pool_exhausted", run.findings
    assert first.summary.startswith("`GET /rate` waited at least")
    assert "for a connection from the pool of `urllib3 to 127.0.0.1:" in first.summary
    assert "who had one: 1 × in `ask (programs/one_connection.py:" in first.summary
    assert first.summary.endswith("for `GET /history`")
    assert first.explained_share > 0.3


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: str(fault.program))
def test_who_need_not_wait_makes_no_incident(fault: Fault, tmp_path: Path) -> None:
    """The same program without its fault fires nothing, and nothing is found in it."""
    run = run_healthy(fault, tmp_path)

    assert list(run.firings) == []
    assert list(run.findings) == []
    assert set(run.statuses) == {200}
