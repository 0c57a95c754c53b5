"""One query a row: the incident of a page that asks for each of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.faults.fault_run import Fault, run_healthy, run_with_fault

N_PLUS_ONE: Final = Fault(program="n_plus_one", requests=("/orders",), trigger="slow_root")


def test_the_query_and_its_number_are_named(tmp_path: Path) -> None:
    """The first finding says which query ran how often, in which request."""
    run = run_with_fault(N_PLUS_ONE, tmp_path)

    first = run.findings[0]
    assert first.rule == "repeated_child", run.findings
    assert first.summary.startswith("`SELECT customer` ran 60 times in `GET /orders`, one after")
    assert first.explained_share > 0.7
    assert first.summary.split(",")[0] in run.shown
    assert list(run.statuses) == [200]


def test_one_query_for_all_rows_is_no_incident(tmp_path: Path) -> None:
    """The same page with one query for all rows fires nothing, and nothing is found in it."""
    run = run_healthy(N_PLUS_ONE, tmp_path)

    assert list(run.firings) == []
    assert list(run.findings) == []
    assert list(run.statuses) == [200]
