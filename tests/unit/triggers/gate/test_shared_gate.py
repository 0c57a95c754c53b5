"""Gates of several processes that decide by one file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from otel_flight.assembly import Settings
from otel_flight.incidents.making.completion import new_incident_id
from otel_flight.testing import FakeClock
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.gate import BUDGET, COOLDOWN, JOINED, OPENED, Gate, Verdict
from otel_flight.triggers.gate.severity import Severity
from otel_flight.triggers.gate.shared_file import SharedFile
from otel_flight.triggers.gate.state import Member

WAITING = 0.001


class Host:
    """A host with gates on it, which have a clock in common."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "shop.gate"
        self.clock = FakeClock()

    def gate(self, incidents_per_hour: int = 12) -> Gate:
        """Return the gate of another process."""
        settings = Settings(incidents_per_hour=incidents_per_hour, tail_seconds=2.0)
        gate = Gate(settings, self.clock, new_incident_id)
        gate.share(SharedFile(self.path), Member("1.ring"))
        return gate


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host."""
    return Host(tmp_path)


def firing(cause: str = "broken", trace_id: int = 0) -> Firing:
    """Return a firing of a cause."""
    severity = Severity.FAILED
    return Firing("t", "reason", cause, ("t", cause), 0, trace_id, severity=severity)


def fire(gate: Gate, cause: str = "broken", trace_id: int = 0) -> Verdict:
    """Return what a gate says to a firing."""
    verdict = gate.decide(firing(cause, trace_id), WAITING)
    assert verdict is not None
    return verdict


def test_what_fires_in_other_processes_joins_the_one_that_was_first(host: Host) -> None:
    """That one gets to know each cause, whatever it was, with all it said."""
    first, *others = (host.gate() for _ in range(8))
    opened = fire(first)
    trace_id = (1 << 127) + 1

    joined = [fire(gate, trace_id=trace_id) for gate in others]
    again = fire(others[0], trace_id=trace_id)
    other = fire(others[0], "other")

    assert opened.outcome == OPENED
    assert {*joined, again, other} == {Verdict(JOINED, opened.incident_id)}
    causes = first.closed(str(opened.incident_id))
    assert [each.original().subject for each in causes] == ["broken", "other"]
    assert [each.repeats for each in causes] == [7, 0]  # they have one process id here
    assert causes[0].original() == firing(trace_id=trace_id)


def test_a_cause_cools_down_in_all_processes(host: Host) -> None:
    """Whichever told it."""
    first, second = host.gate(), host.gate()
    first.closed(str(fire(first).incident_id))

    assert fire(second).outcome == COOLDOWN
    assert fire(second, "other").outcome == OPENED


def test_the_budget_is_that_of_all_processes(host: Host) -> None:
    """A service with many workers makes no more incidents than one with few."""
    gates = [host.gate(incidents_per_hour=4) for _ in range(8)]
    outcomes = []
    for number, gate in enumerate(gates):
        verdict = fire(gate, str(number))
        outcomes.append(verdict.outcome)
        gate.closed(str(verdict.incident_id))

    assert outcomes.count(OPENED) == 4
    assert set(outcomes[4:]) == {BUDGET}


def test_what_a_process_does_not_close_is_joined_no_more(host: Host) -> None:
    """It hangs, or is dead: the others go on, and it closes its own when it can."""
    hung, other = host.gate(), host.gate()
    first = fire(hung)
    host.clock.advance(2.9)
    assert fire(other, "a").outcome == JOINED
    host.clock.advance(0.2)

    second = fire(other, "b")

    assert second.outcome == OPENED
    assert fire(hung, "c") == Verdict(JOINED, first.incident_id)
    assert hung.closed(str(first.incident_id)) == ()
    assert fire(hung, "d") == Verdict(JOINED, second.incident_id)


def test_an_application_thread_does_not_wait_for_another_process(host: Host) -> None:
    """It is told to leave the firing to the ticker, which waits a little, then decides alone."""
    gate = host.gate()
    fire(gate, "earlier")
    with host.path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)

        assert gate.decide(firing()) is None
        assert fire(gate).outcome == JOINED


@pytest.mark.parametrize("content", [b"", b"abc", os.urandom(1000)])
def test_a_file_that_is_not_whole_is_as_none(host: Host, content: bytes) -> None:
    """Its process was killed while it wrote."""
    host.path.write_bytes(content)

    assert fire(host.gate()).outcome == OPENED
    assert fire(host.gate()).outcome == JOINED


def test_a_process_that_cannot_use_the_file_decides_alone(host: Host) -> None:
    """Its directory is gone, or full."""
    gate = host.gate()
    host.path = host.path / "missing"
    alone = host.gate()

    assert fire(gate).outcome == fire(alone).outcome == OPENED
    alone.give_back(str(fire(alone).incident_id), 1.0)
