"""Which processes decide together, and for how long what they know is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.assembly import Settings
from otel_flight.ground.clock import SYSTEM_CLOCK
from otel_flight.incidents.making.completion import new_incident_id
from otel_flight.ring.dead_rings import started_ticks
from otel_flight.ring.file import Backing, create_backing
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.gate import Gate
from otel_flight.triggers.gate.shared_file import SharedFile
from otel_flight.triggers.gate.state import Member
from otel_flight.worker.host import forget_if_alone, member, shared_gate


@pytest.fixture
def rings(own_environment: Path) -> Iterator[tuple[Backing, Backing]]:
    """Return the rings of two processes."""
    first, second = (create_backing(own_environment, f"{name}.ring", 4096) for name in "ab")
    yield first, second
    first.close(unlink=True)
    second.close(unlink=True)


def path_of(ring: Backing) -> Path:
    """Return where a ring is."""
    assert ring.path is not None
    return ring.path


def decide(file: SharedFile | None, member: Member) -> None:
    """Let a process decide something."""
    gate = Gate(Settings(), SYSTEM_CLOCK, new_incident_id)
    gate.share(file, member)
    assert gate.decide(Firing("t", "reason", "", ("t",), 0), 1.0) is not None


@pytest.mark.parametrize("service", ["", "unknown_service", "unknown_service:python"])
def test_a_service_without_a_name_shares_nothing(
    service: str, rings: tuple[Backing, Backing]
) -> None:
    """Nobody can tell whether two such programs are one service."""
    assert shared_gate(path_of(rings[0]), service, Path("/spool")) is None


def test_name_and_spool_say_which_service_it_is(rings: tuple[Backing, Backing]) -> None:
    """Another spool is another deployment of it."""
    own = path_of(rings[0])
    found = {
        file.path
        for service, spool in [("a", "/s"), ("a", "/s"), ("b", "/s"), ("a", "/t")]
        if (file := shared_gate(own, service, Path(spool))) is not None
    }

    assert len(found) == 3
    assert {path.parent for path in found} == {own.parent}


def test_what_is_known_stays_while_another_process_lives(rings: tuple[Backing, Backing]) -> None:
    """The last one that leaves takes it along; what a killed one has left counts for nothing."""
    first, second = map(path_of, rings)
    file = shared_gate(first, "shop", Path("/spool"))
    assert file is not None
    decide(file, Member(first.name))

    assert shared_gate(second, "shop", Path("/spool")) is not None
    assert file.path.exists()
    forget_if_alone(file, first)
    assert not file.path.exists()

    decide(file, Member("killed.ring"))
    forget_if_alone(file, first)
    assert not file.path.exists()


def test_a_worker_goes_on_with_what_its_predecessor_knew(
    rings: tuple[Backing, Backing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were forked by one parent, which lives."""
    own = path_of(rings[0])
    command = Path("/proc/self/cmdline").read_bytes()
    monkeypatch.setattr(Path, "read_bytes", lambda _: command)
    assert member(own).parent == os.getppid()
    file = SharedFile(own.with_name("shop.gate"))
    decide(file, Member("old.ring", os.getppid(), started_ticks(os.getppid()) or 0))

    forget_if_alone(file, own)

    assert file.path.exists()


def test_a_file_that_nobody_used_for_days_is_removed(rings: tuple[Backing, Backing]) -> None:
    """Its service was killed, and never came back."""
    own = path_of(rings[0])
    old, new = own.with_name("old.gate"), own.with_name("new.gate")
    for path in (old, new):
        path.touch()
    os.utime(old, (0, time.time() - 3 * 24 * 3600))

    shared_gate(own, "shop", Path("/spool"))

    assert not old.exists()
    assert new.exists()


def test_a_process_that_was_not_waited_for_has_ended() -> None:
    """It is in the list of processes until its parent asks how it ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert started_ticks(process.pid) is None
        assert started_ticks(os.getpid()) is not None
