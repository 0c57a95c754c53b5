"""Why a process died."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from otel_flight.incidents.findings.failures.process_died import find_process_died
from otel_flight.incidents.incident import Incident
from otel_flight.ring.facts import (
    SUPERVISOR,
    SUPERVISOR_IS_FOR_REQUESTS,
    SUPERVISOR_LIMIT,
    SUPERVISOR_TASKS,
)
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder

SECOND = 1_000_000_000
CRASH = {
    "flight_recorder.crash": "Segmentation fault",
    "code.function.name": "sum",
    "code.file.path": "/usr/lib/python3.11/ctypes/__init__.py",
    "code.line.number": 7,
    "flight_recorder.caller": "total (shop/app.py:11)",
}
GUNICORN = {SUPERVISOR: "gunicorn", SUPERVISOR_LIMIT: 5.0, SUPERVISOR_IS_FOR_REQUESTS: True}


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def summary(
    builder: IncidentBuilder,
    attributes: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
    *,
    age_ms: int = 4_000,
) -> str:
    """Return what is said of a process that died while a request had been open for so long."""
    span = builder.open("GET /report", 0)
    cause = builder.cause("process_died", "process died", span, age_ms, dict(attributes))
    incident = builder.incident(cause, closed_ms=age_ms)
    manifest = incident.manifest
    process = {**manifest.process, **(facts or {})}
    incident = Incident(msgspec.structs.replace(manifest, process=process), incident.window)
    finding = find_process_died(evidence_of(incident))
    span.end()
    assert finding is not None
    return finding.summary.removeprefix("process 4242 ")


def test_a_crash_comes_first(builder: IncidentBuilder) -> None:
    """Whatever else may have killed it, too: that is known for sure."""
    said = summary(
        builder,
        {**CRASH, "flight_recorder.container.oom_kills": 1, "flight_recorder.exit_status": -11},
        GUNICORN,
        age_ms=6_000,
    )

    assert said.startswith(
        "was killed by a segmentation fault (SIGSEGV) in sum (ctypes/__init__.py:7), "
        "called by total (shop/app.py:11), and 1 request with it: `GET /report` for 6s"
    )


def test_a_crash_outside_of_python_has_no_line(builder: IncidentBuilder) -> None:
    """In a thread of a native library."""
    said = summary(builder, {"flight_recorder.crash": "Bus error"})

    assert said.startswith(
        "was killed by a bus error (SIGBUS) in a thread that runs no Python, and"
    )


def test_memory_that_ran_out_is_told_with_what_was_measured(builder: IncidentBuilder) -> None:
    """As far as it was."""
    attributes = {"flight_recorder.container.oom_kills": 1}
    assert summary(builder, attributes).startswith(
        "was killed by the kernel, as memory had run out (OOM), and 1 request"
    )
    builder.event(
        "process",
        "process vitals",
        100,
        attributes={
            "process.memory.usage": 90 << 20,
            "flight_recorder.container.memory.held": 95 << 20,
            "flight_recorder.container.memory.limit": 100 << 20,
        },
    )

    assert "of the 100.0 MiB that its container may use, 95.0 MiB" in summary(builder, attributes)


@pytest.mark.parametrize(
    ("age_ms", "facts", "is_killed"),
    [
        (4_600, GUNICORN, True),
        (3_000, GUNICORN, False),
        (9_000, {**GUNICORN, SUPERVISOR_IS_FOR_REQUESTS: False}, False),
        (2_000, {**GUNICORN, SUPERVISOR_TASKS: {"GET /report": 2.0}}, True),
        (300, {**GUNICORN, SUPERVISOR_LIMIT: 1.0}, False),
    ],
)
def test_a_server_kills_whoever_reached_its_limit(
    builder: IncidentBuilder, age_ms: int, facts: Mapping[str, Any], is_killed: bool
) -> None:
    """A request, where that has one; a younger one was killed for another reason."""
    said = summary(builder, {}, facts, age_ms=age_ms)

    assert said.startswith("was killed by gunicorn after its limit of") == is_killed
    assert is_killed or said.startswith("ended without a word")


def test_a_silent_worker_is_killed_whatever_its_requests_may(builder: IncidentBuilder) -> None:
    """One with threads, by a call that holds the GIL."""
    silent = {"flight_recorder.silent_ns": 5 * SECOND}

    said = summary(builder, silent, {**GUNICORN, SUPERVISOR_IS_FOR_REQUESTS: False})

    assert said.startswith(
        "was killed by gunicorn after its limit of 5s, while a native call held the interpreter's "
        "lock (GIL) for 5s"
    )


def test_how_it_ended_is_told_where_that_is_known(builder: IncidentBuilder) -> None:
    """Its exit code, or its signal."""
    ended = "flight_recorder.exit_status"

    assert summary(builder, {ended: 3}).startswith("ended by `os._exit(3)`, or as a native")
    assert summary(builder, {ended: -9}).startswith("was killed by SIGKILL, and")
    assert summary(builder, {ended: -250}).startswith("was killed by signal 250, and")
