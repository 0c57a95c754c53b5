"""Requests that greenlets of gevent serve: what holds them up is named as for those of threads."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.spool import Spool
from otel_flight.interpreter.frames import CAN_READ_FRAMES
from tests.support.processes.service_process import ServiceProcess

PROGRAM = str(Path(__file__).parent / "programs" / "blocked_hub.py")

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("gevent"), reason="gevent is not installed"),
    pytest.mark.skipif(not CAN_READ_FRAMES, reason="no stacks are read here"),
]


def incident_of(how: str, directory: Path) -> Incident:
    """Return the one incident that the program makes."""
    with ServiceProcess([PROGRAM, how]) as process:
        assert process.wait() == 0, process.output()
        assert process.output() == "()\n"
    (entry,) = Spool(directory / "spool", 1 << 30, 10).entries()
    return read_incident(entry.path)


def test_a_function_that_blocks_the_hub_is_named(tmp_path: Path) -> None:
    """In the request that waits for it: which function, of which request; nobody else is blamed."""
    manifest = incident_of("blocked", tmp_path).manifest

    first = manifest.findings[0]
    assert first.rule == "event_loop_blocked", manifest.findings
    assert "of `quick`" in first.summary
    assert "by `compute (programs/blocked_hub.py:" in first.summary
    assert first.summary.endswith("running in another request, `report`")
    assert "cpu_starved" not in {finding.rule for finding in manifest.findings}


def test_a_request_that_waits_has_its_own_stack(tmp_path: Path) -> None:
    """Not that of the hub, or of another greenlet that runs meanwhile."""
    manifest = incident_of("waiting", tmp_path).manifest

    names = [each.name for each in manifest.explanations]
    assert names == ["wait", "waiting: sleep"]
    (finding,) = manifest.findings
    assert finding.summary.startswith("`wait` slept for ")
    assert "in `wait (programs/blocked_hub.py:" in finding.summary


def test_a_request_that_waits_for_a_lock_says_for_which(tmp_path: Path) -> None:
    """A lock of gevent is one, and no event."""
    (finding,) = incident_of("locked", tmp_path).manifest.findings

    assert finding.rule == "lock_wait"
    assert "for the lock `lock` in `locked (programs/blocked_hub.py:" in finding.summary
