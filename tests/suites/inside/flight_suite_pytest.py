"""The plugin of pytest that makes spans around each test and writes down what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flight_suite_outcomes
import flight_suite_process
import pytest

_SEVERITY = ("passed", "skipped", "failed", "error")
_outcomes: dict[str, tuple[str, str]] = {}


def pytest_sessionstart() -> None:
    """Begin with all threads of the recorder running."""
    flight_suite_process.let_threads_start()


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Leave out the tests that the engine names."""
    left_out = [item for item in items if flight_suite_outcomes.is_left_out(item.nodeid)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_collectreport(report: Any) -> None:
    """Write down a file that could not be imported, as a test of its own."""
    if report.failed:
        flight_suite_outcomes.began(report.nodeid)
        flight_suite_outcomes.ended(report.nodeid, "error", str(report.longrepr))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    """Run a test in a span, with a burst of others before it."""
    flight_suite_outcomes.began(item.nodeid)
    flight_suite_process.make_spans(20)
    with flight_suite_process.span_around_test(item.nodeid):
        yield
    outcome, text = _outcomes.pop(item.nodeid, ("passed", ""))
    flight_suite_outcomes.ended(item.nodeid, outcome, text)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: Any) -> None:
    """Keep the worst of what the phases and the parts of a test report."""
    outcome = report.outcome
    if outcome == "failed" and report.when != "call":
        outcome = "error"
    known, _ = _outcomes.get(report.nodeid, ("passed", ""))
    if outcome in _SEVERITY and _SEVERITY.index(outcome) > _SEVERITY.index(known):
        _outcomes[report.nodeid] = outcome, str(report.longrepr)
