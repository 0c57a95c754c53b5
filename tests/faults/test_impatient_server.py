"""A server kills its worker, which took too long; the incident names both, and the line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from otel_flight.interpreter.hang_watch import CAN_WATCH
from tests.faults.fault_run import Fault, run_healthy, run_with_fault

NEAR_DEADLINE: Final = Fault(
    program="late_report",
    server="gunicorn",
    arguments=("--threads", "1", "--timeout", "3"),
    requests=("/report",),
    trigger="deadline",
    environment={"OTEL_FLIGHT_SLOW_ROOT": "off"},
)
HELD_TO_THE_END: Final = replace(
    NEAR_DEADLINE,
    requests=("/total", *["/ok"] * 5),
    apart_seconds=2.5,
    trigger="process_died",
)


def test_a_request_that_is_about_to_be_killed_is_named(tmp_path: Path) -> None:
    """While its process can still speak; nobody had set a limit."""
    run = run_with_fault(NEAR_DEADLINE, tmp_path)

    cause = run.incident.manifest.causes[0]
    assert cause.title == "near its deadline GET /report"
    assert cause.attributes["flight_recorder.supervisor"] == "gunicorn"
    assert cause.attributes["flight_recorder.limit_ns"] == 3_000_000_000
    first = run.findings[0]
    assert first.rule == "own_wait", run.findings
    assert "fetch (programs/late_report.py:16)" in first.summary


@pytest.mark.skipif(not CAN_WATCH, reason="only C can write stacks without the GIL")
def test_a_native_call_that_its_server_killed_is_named(tmp_path: Path) -> None:
    """No thread of Python had a turn until the end."""
    run = run_with_fault(HELD_TO_THE_END, tmp_path)

    first = run.findings[0]
    assert first.rule == "process_died", run.findings
    assert "was killed by gunicorn after its limit of 3s, while a native call" in first.summary
    assert ", and 1 request with it: `GET /total` for " in first.summary
    assert first.summary.endswith("was last seen in count (programs/late_report.py:21)")
    assert run.statuses[-1] == 200


def test_its_healthy_twin(tmp_path: Path) -> None:
    """A report that takes its time is well."""
    run = run_healthy(NEAR_DEADLINE, tmp_path)

    assert run.firings == []
    assert run.findings == []
