"""A function that blocks the event loop: the incident of who waits, and of the stall itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.faults.fault_run import Fault, run_healthy, run_with_fault

LOOPS: Final = ("asyncio", "uvloop")


def waiting_request(loop: str) -> Fault:
    """Return the fault as a request meets it that another one holds up."""
    return Fault(
        program="blocked_loop",
        arguments=("--loop", loop),
        requests=("/ok", "/ok", "/report"),
        trigger="slow_root",
        environment={
            "OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /report*=off",
            "OTEL_FLIGHT_LOOP_STALL_TRIGGER": "off",
        },
    )


STALL: Final = Fault(
    program="blocked_loop",
    requests=("/report",),
    trigger="loop_stall",
    environment={"OTEL_FLIGHT_SLOW_ROOT": "off"},
)


def skip_without(loop: str) -> None:
    """Skip the test when there is no such loop here."""
    if loop != "asyncio":
        pytest.importorskip(loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_request_that_waits_names_the_function_of_another(loop: str, tmp_path: Path) -> None:
    """The first finding says which function blocked the loop, where it is, and for which request.

    The pause is in the waiting request's own trace, and links to the one that caused it.
    """
    skip_without(loop)

    run = run_with_fault(waiting_request(loop), tmp_path)

    first = run.findings[0]
    assert first.rule == "event_loop_blocked", run.findings
    assert "of `GET /ok`" in first.summary
    assert "by `compute (programs/blocked_loop.py:" in first.summary
    assert first.summary.endswith("running in another request, `GET /report`")
    assert first.explained_share > 0.8
    assert first.summary in " ".join(run.shown.split())
    (pause,) = [each for each in run.explanations if each.name == "event loop blocked"]
    assert pause.kind == "pause"
    assert pause.link_trace_id == first.evidence["trace_id"] != pause.trace_id
    assert pause.attributes["code.function.name"] == "compute"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_report_that_lets_the_loop_go_on_is_no_incident(loop: str, tmp_path: Path) -> None:
    """The same report, made in small steps, fires nothing, and nothing is found."""
    skip_without(loop)

    run = run_healthy(waiting_request(loop), tmp_path)

    assert list(run.firings) == []
    assert list(run.findings) == []
    assert list(run.statuses) == [200, 200, 200]


def test_the_stall_fires_by_itself_and_names_its_function(tmp_path: Path) -> None:
    """Also when no request is over a limit: the request that blocks the loop is its subject.

    What it was doing is in its trace as spans, function below function.
    """
    run = run_with_fault(STALL, tmp_path)

    cause = run.incident.manifest.trigger
    assert cause is not None
    assert (cause.trigger, cause.title) == ("loop_stall", "event loop blocked compute")
    first = run.findings[0]
    assert first.rule == "event_loop_blocked", run.findings
    assert "by `compute (programs/blocked_loop.py:" in first.summary
    assert first.summary.endswith("running in this request itself")
    inferred = {each.name: each for each in run.explanations if each.kind == "inferred"}
    assert inferred["compute"].parent_span_id == inferred["make_report"].id
    # In parts, if another thread held the GIL for a moment.
    computing = [each for each in run.explanations if each.name == "compute"]
    assert sum(each.end_ns - each.start_ns for each in computing) > 300_000_000


def test_without_a_stall_its_trigger_is_quiet(tmp_path: Path) -> None:
    """With the limit as it is by default, the healthy service fires nothing."""
    run = run_healthy(STALL, tmp_path)

    assert list(run.firings) == []
    assert list(run.statuses) == [200]
