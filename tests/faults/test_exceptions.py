"""Exceptions that nobody handled, in real services, each with a healthy twin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

from tests.faults.fault_run import Fault, run_healthy, run_with_fault

DYING_CONSUMER: Final = Fault(
    program="dying_consumer", server="script", trigger="unhandled_exception"
)
CRASHING_JOB: Final = Fault(program="crashing_job", server="script", trigger="unhandled_exception")
FORGOTTEN_TASK: Final = Fault(
    program="forgotten_task", requests=("/order",), trigger="unhandled_exception"
)
SWALLOWED_ERROR: Final = Fault(
    program="swallowed_error",
    warm_up=("/orders/1",) * 20,
    requests=("/orders/2",),
    environment={"OTEL_FLIGHT_RAISED_EXCEPTIONS": "true"},
    trigger="error_span",
)
ALL: Final = (DYING_CONSUMER, CRASHING_JOB, FORGOTTEN_TASK, SWALLOWED_ERROR)


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.program)
def test_the_healthy_twin_fires_nothing(tmp_path: Path, fault: Fault) -> None:
    """Without the fault the same work makes no incident, and nothing is found in it."""
    run = run_healthy(fault, tmp_path)

    assert list(run.firings) == []
    assert list(run.findings) == []
    assert set(run.statuses) <= {200}


def test_a_thread_that_died(tmp_path: Path) -> None:
    """The thread is named, what it died of, and in which function."""
    run = run_with_fault(DYING_CONSUMER, tmp_path)

    first = run.findings[0]
    assert first.rule == "thread_died", run.findings
    assert first.summary.startswith(
        "the thread `deliveries` died of KeyError: 'address' in `label (programs/dying_consumer.py:"
    )
    assert "deliveries" in run.shown
    assert "KeyError: 'address'" in run.output


def test_a_process_that_died(tmp_path: Path) -> None:
    """The incident of a process that ends by its own exception is in the spool all the same."""
    run = run_with_fault(CRASHING_JOB, tmp_path)

    first = run.findings[0]
    assert first.rule == "unhandled_exception", run.findings
    assert first.summary.startswith(
        "the main thread ended with ImportFailed: the price list is broken in "
        "`run (programs/crashing_job.py:"
    )
    assert "which began with ValueError: invalid literal for int()" in first.summary
    assert "in `price (programs/crashing_job.py:" in first.summary
    assert "ImportFailed: the price list is broken" in run.output
    assert any(span.record.name == "read price list" for span in run.incident.window.spans())


def test_a_task_that_nobody_waited_for(tmp_path: Path) -> None:
    """The request went well; the task's exception is told with the function it came from."""
    run = run_with_fault(FORGOTTEN_TASK, tmp_path)

    first = run.findings[0]
    assert first.rule == "unhandled_exception", run.findings
    assert first.summary.startswith(
        "an asyncio task or callback ended with ValueError: no address in "
        "`send_receipt (programs/forgotten_task.py:"
    )
    assert first.summary.endswith(": `Task exception was never retrieved`")
    assert list(run.statuses) == [200]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
def test_an_exception_that_was_swallowed(tmp_path: Path) -> None:
    """Behind the failure itself: what was caught before it, and by whom."""
    run = run_with_fault(SWALLOWED_ERROR, tmp_path)

    rules = [finding.rule for finding in run.findings]
    assert rules[:2] == ["error_origin", "swallowed_exception"], run.findings
    assert run.findings[1].summary.startswith("`load (programs/swallowed_error.py:")
    assert "raised KeyError: 9," in run.findings[1].summary
    assert "it was caught in `find (programs/swallowed_error.py:" in run.findings[1].summary
    assert list(run.statuses) == [500]
