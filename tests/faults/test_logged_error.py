"""A log record that makes an incident, in a service that configures its logging anew."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from otel_flight.names import source_names
from otel_flight.names.log_attributes import LOGGER, MESSAGE
from tests.faults.fault_run import Fault, FaultyRun, HealthyRun, run_healthy, run_with_fault

LOGGED_ERROR: Final = Fault(
    program="logged_error",
    server="gunicorn",
    requests=("/pay",),
    environment={"OTEL_FLIGHT_LOG_TRIGGER": "ERROR"},
    trigger="log_record",
)


def logged(run: FaultyRun | HealthyRun) -> list[str]:
    """Return what the shop logged, as the incident has it."""
    return [
        event.record.attributes[MESSAGE]
        for event in run.incident.window.events()
        if event.record.source == source_names.LOGS
        and event.record.attributes[LOGGER] == "shop.payments"
    ]


def test_the_record_is_named_with_its_line(tmp_path: Path) -> None:
    """Under gunicorn, by a logger that does not propagate: it belongs to its request."""
    run = run_with_fault(LOGGED_ERROR, tmp_path)

    first = run.findings[0]
    assert first.rule == "logged", run.findings
    assert first.summary.startswith(
        "`shop.payments` logged ERROR: alice cannot pay 20, in `withdraw (programs/logged_error.py:"
    )
    assert logged(run) == ["alice cannot pay 20"]
    cause = run.incident.manifest.causes[0]
    spans = {f"{span.record.span_id:016x}": span for span in run.incident.window.spans()}
    assert spans[cause.span_id].record.name == "GET /pay"
    assert list(run.statuses) == [200]


@pytest.mark.parametrize("trigger", ["ERROR", "off"])
def test_the_healthy_twin_fires_nothing(tmp_path: Path, trigger: str) -> None:
    """A record below the level is recorded, and makes no incident."""
    fault = Fault(
        program="logged_error",
        server="gunicorn",
        requests=("/pay",),
        environment={"OTEL_FLIGHT_LOG_TRIGGER": trigger},
    )

    run = run_healthy(fault, tmp_path)

    assert list(run.firings) == []
    assert list(run.findings) == []
    assert logged(run) == ["alice pays 20"]
