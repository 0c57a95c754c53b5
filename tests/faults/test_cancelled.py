"""Work that was cut off from above, in real services, each with a healthy twin."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from otel_flight.names.log_attributes import LOGGER, MESSAGE
from tests.faults.fault_run import Fault, run_healthy, run_with_fault

TIME_LIMIT: Final = Fault(program="time_limit", requests=("/item",), trigger="error_span")
LOST_CLIENT: Final = Fault(
    program="lost_client",
    requests=("/impatient",),
    environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /impatient=off,GET /export=250ms"},
    trigger="slow_root",
)
STUCK_POLL: Final = Fault(
    program="stuck_poll",
    server="script",
    environment={"OTEL_FLIGHT_STUCK_SPAN": "300ms"},
    trigger="stuck_span",
)
ALL: Final = (TIME_LIMIT, LOST_CLIENT, STUCK_POLL)


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.program)
def test_the_healthy_twin_fires_nothing(tmp_path: Path, fault: Fault) -> None:
    """Without the fault the same requests make no incident, and nothing is found in them."""
    run = run_healthy(fault, tmp_path)

    assert list(run.firings) == []
    assert list(run.findings) == []
    assert set(run.statuses) <= {200}


def test_a_time_limit(tmp_path: Path) -> None:
    """Which function set it, what it cut off, and where that was waiting."""
    run = run_with_fault(TIME_LIMIT, tmp_path)

    first = run.findings[0]
    assert first.rule == "cancelled_from_above", run.findings
    assert first.summary.startswith("`GET /item` ran into a time limit after 2")
    assert "set in `item (programs/time_limit.py:" in first.summary
    assert (
        "; `stock` was running within it, in `ask_stock (programs/time_limit.py:" in first.summary
    )
    assert list(run.statuses) == [500]


def test_a_request_that_failed_names_the_incident(tmp_path: Path) -> None:
    """Not the span that sent its answer of 500, which failed first and says nothing."""
    run = run_with_fault(TIME_LIMIT, tmp_path)

    (cause,) = run.incident.manifest.causes
    assert cause.title == "error span GET /item"
    exception = cause.attributes["exception.type"]
    assert exception.endswith("TimeoutError")  # asyncio's own in Python 3.10
    assert f"error span  GET /item\n  {exception}" in run.shown


def test_what_uvicorn_logs_of_it_is_there(tmp_path: Path) -> None:
    """By a logger that does not propagate, configured after the recorder was installed."""
    run = run_with_fault(TIME_LIMIT, tmp_path)

    (event,) = [
        event
        for event in run.incident.window.events()
        if event.record.attributes.get(LOGGER) == "uvicorn.error"
    ]
    assert event.record.attributes[MESSAGE] == "Exception in ASGI application\n"
    assert event.record.attributes["exception.type"].endswith("TimeoutError")


def test_a_client_that_left(tmp_path: Path) -> None:
    """That the request ended so, and what it was doing."""
    run = run_with_fault(LOST_CLIENT, tmp_path)

    (finding,) = [each for each in run.findings if each.rule == "cancelled_from_above"]
    assert finding.summary.startswith("`GET /export` was given up by its client after ")
    assert finding.summary.endswith("; `read orders` was running within it")
    assert list(run.statuses) == [200]


def test_a_span_that_does_not_end(tmp_path: Path) -> None:
    """A child whose parent has ended long ago is found by its own age."""
    run = run_with_fault(STUCK_POLL, tmp_path)

    first = run.findings[0]
    assert first.rule == "unfinished", run.findings
    assert first.summary.startswith("`poll broker` was still open when the incident closed")
    assert run.incident.manifest.causes[0].title == "stuck span poll broker"
