"""A process that is killed cannot say anything; the next one does."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.faults.fault_run import Fault, run_healthy, run_with_fault

KILLED_WORKER: Final = Fault(
    program="killed_worker",
    server="gunicorn",
    requests=("/report", "/ok", "/ok", "/ok", "/ok", "/ok"),
    apart_seconds=1.5,
    trigger="process_died",
    environment={"OTEL_FLIGHT_SLOW_ROOT": "off"},
)


def test_the_request_and_its_line_are_named(tmp_path: Path) -> None:
    """Of the one that was open, as far as the ticker had seen it."""
    run = run_with_fault(KILLED_WORKER, tmp_path)

    first = run.findings[0]
    assert first.rule == "process_died", run.findings
    assert "ended without a word, and 1 request with it: `GET /report` for 1." in first.summary
    assert first.summary.endswith(
        "`GET /report` was last seen in render (programs/killed_worker.py:18)"
    )
    assert run.incident.manifest.causes[0].title == "process died GET /report"
    assert run.statuses[0] == 0
    assert run.statuses[-1] == 200


def test_its_healthy_twin(tmp_path: Path) -> None:
    """A worker that ends as it should leaves nothing."""
    run = run_healthy(KILLED_WORKER, tmp_path)

    assert run.firings == []
