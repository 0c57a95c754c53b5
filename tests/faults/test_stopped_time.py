"""What stops a whole process: collections, the interpreter's lock, a signal, limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.faults.fault_run import Fault, run_healthy, run_with_fault
from tests.support.processes.limited_group import limited_group

MEASURES_PRESSURE: Final = Path("/proc/pressure/cpu").exists()
"""Not every kernel does."""
MEMORY_LIMIT: Final = str(256 << 20)
_NOTHING_SLOW: Final = {"OTEL_FLIGHT_SLOW_ROOT": "off"}
LARGE_HEAP: Final = Fault(
    program="large_heap",
    server="gunicorn",
    requests=("/evict",),
    trigger="gc_pause",
    environment={**_NOTHING_SLOW, "OTEL_FLIGHT_GC_PAUSE_TRIGGER": "100ms"},
)
COSTLY_PATTERN: Final = Fault(
    program="costly_pattern",
    server="gunicorn",
    requests=("/quick", "/import"),
    trigger="slow_root",
    environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /import=off"},
)
STOPPED: Final = Fault(
    program="stopped", server="gunicorn", requests=("/work",), trigger="slow_root"
)
TIGHT_LIMIT: Final = Fault(
    program="tight_limit",
    server="gunicorn",
    requests=("/report",),
    trigger="slow_root",
    environment={"OTEL_FLIGHT_SLOW_ROOT": "350ms"},  # with its fault it takes 400 at least
)
THROTTLED: Final = replace(
    TIGHT_LIMIT,
    requests=("/year",),
    trigger="throttling",
    environment={**_NOTHING_SLOW, "OTEL_FLIGHT_THROTTLING_TRIGGER": "0.2"},
)
BUSY_NEIGHBOURS: Final = Fault(
    program="busy_neighbours",
    server="gunicorn",
    requests=("/report",),
    trigger="slow_root",
    environment={
        "OTEL_FLIGHT_SLOW_ROOT": "900ms",
        "OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /ok=off",
    },
)
"""Any request may be slow there; this one is."""
GROWING_CACHE: Final = Fault(
    program="growing_cache",
    server="gunicorn",
    requests=("/export",),
    trigger="memory_pressure",
    environment={
        **_NOTHING_SLOW,
        "OTEL_FLIGHT_MEMORY_TRIGGER": "0.5",
        "OTEL_FLIGHT_PROCESS": "100ms",
        "OTEL_FLIGHT_WINDOW_BYTES": "2MiB",
    },
)


def test_a_full_collection_is_named(tmp_path: Path) -> None:
    """Its generation, how long it took, and where it was asked for."""
    run = run_with_fault(LARGE_HEAP, tmp_path)

    first = run.findings[0]
    assert first.rule == "gc_pause", run.findings
    assert "a full garbage collection (generation 2) stopped the process for" in first.summary
    assert "evict (programs/large_heap.py:" in first.summary
    assert first.evidence["duration_ns"] >= 100_000_000
    assert "gc pause" in {each.name for each in run.explanations}


def test_the_function_that_held_the_interpreter_is_named(tmp_path: Path) -> None:
    """Which function of which other request was seen as soon as others could run again."""
    run = run_with_fault(COSTLY_PATTERN, tmp_path)

    first = run.findings[0]
    assert first.rule == "gil_held", run.findings
    assert "(programs/costly_pattern.py:" in first.summary
    assert "check_names" in first.summary
    assert first.summary.startswith("a thread held the interpreter's lock (GIL) for")
    assert first.summary.endswith(", in another request, `GET /import`")
    assert first.explained_share > 0.3


def test_a_process_that_was_stopped(tmp_path: Path) -> None:
    """For how long, and that nobody else had the processor meanwhile."""
    run = run_with_fault(STOPPED, tmp_path)

    first = run.findings[0]
    assert first.rule == "cpu_starved", run.findings
    assert first.summary.startswith("the process was stopped (by a signal")
    assert first.explained_share > 0.6
    assert "process descheduled" in {each.name for each in run.explanations}


@pytest.mark.parametrize("fault", [TIGHT_LIMIT, THROTTLED], ids=["slow-request", "throttling"])
def test_the_limit_of_the_container_is_named(tmp_path: Path, fault: Fault) -> None:
    """Which limit held the process back, in a slow request and as a trigger of its own."""
    with limited_group("cpu", "20000", "100000") as group:
        environment = {**fault.environment, "FAULT_GROUP": str(group)}
        run = run_with_fault(replace(fault, environment=environment), tmp_path)

    first = run.findings[0]
    assert first.rule == "cpu_starved", run.findings
    assert (
        "the container's processor limit of 0.2 processors held the process back" in first.summary
    )
    assert first.explained_share > 0.2


def test_neighbours_that_have_the_processor(tmp_path: Path) -> None:
    """For how long the request was ready to run without one, and how far others waited as well."""
    run = run_with_fault(BUSY_NEIGHBOURS, tmp_path)

    first = run.findings[0]
    assert first.rule == "cpu_starved", run.findings
    assert first.summary.startswith("the process got no processor: others on the machine had it")
    assert first.evidence["run_queue_ns"] > 0
    if MEASURES_PRESSURE:
        assert first.evidence["cpu_pressure"] > 0.5
        assert "cpu pressure" in run.shown


def test_memory_that_grows_is_named_with_the_request(tmp_path: Path) -> None:
    """From what to what, how near the limit, and during which request."""
    with limited_group("memory", MEMORY_LIMIT) as group:
        environment = {**GROWING_CACHE.environment, "FAULT_GROUP": str(group)}
        run = run_with_fault(replace(GROWING_CACHE, environment=environment), tmp_path)

    first = run.findings[0]
    assert first.rule == "memory_growth", run.findings
    assert "of its limit of 256MiB; this process" in first.summary
    assert first.summary.endswith("while `GET /export` was running")


@pytest.mark.parametrize(
    "fault",
    [LARGE_HEAP, COSTLY_PATTERN, STOPPED, TIGHT_LIMIT, THROTTLED, BUSY_NEIGHBOURS],
    ids=["heap", "pattern", "stopped", "slow-request", "throttling", "neighbours"],
)
def test_without_its_fault_nothing_fires(tmp_path: Path, fault: Fault) -> None:
    """The same work, without what stops it, is no incident, and nothing is found in it."""
    run = run_healthy(fault, tmp_path)

    assert list(run.firings) == []
    assert list(run.findings) == []
    assert set(run.statuses) == {200}


def test_memory_that_is_given_back_fires_nothing(tmp_path: Path) -> None:
    """The same pages in the same container, kept by nobody."""
    with limited_group("memory", MEMORY_LIMIT) as group:
        environment = {**GROWING_CACHE.environment, "FAULT_GROUP": str(group)}
        run = run_healthy(replace(GROWING_CACHE, environment=environment), tmp_path)

    assert list(run.firings) == []
    assert list(run.findings) == []
