"""The source of pressure stall information."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.sources.pressure import Pressure
from otel_flight.testing import FakeClock
from tests.support.rigs.kernel_tree import KernelTree
from tests.support.rigs.source_rig import SourceRig

MS = 1_000_000


class Machine:
    """A machine whose pressure a test makes."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.tree = KernelTree(directory)
        self.rig = SourceRig(directory / "ring", self.clock)

    def write(self, path: str, some_ms: int, full_ms: int = 0) -> None:
        """Write a file of pressure with these totals."""
        self.tree.write(
            path,
            f"some avg10=2.46 avg60=8.17 avg300=5.43 total={some_ms * 1000}\n"
            f"full avg10=0.00 avg60=0.00 avg300=0.00 total={full_ms * 1000}\n",
        )

    def source(self) -> Pressure:
        """Return the source, after its first look."""
        source = Pressure(self.rig.surroundings, str(self.tree.proc), self.clock.monotonic_ns)
        source.start()
        source.tick()
        return source


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine without pressure."""
    machine = Machine(tmp_path)
    for resource in ("cpu", "memory", "io"):
        machine.write(f"proc/pressure/{resource}", 5000)
    yield machine
    machine.rig.close()


def test_a_second_under_pressure_is_recorded(machine: Machine) -> None:
    """For the resource that was waited for, with how long, since the last look a second ago."""
    source = machine.source()
    began = machine.clock.wall_ns()
    machine.write("proc/pressure/memory", 5300, 200)

    for _ in range(15):
        machine.clock.advance(0.1)
        source.tick()

    (event,) = [event.record for event in machine.rig.events()]
    assert (event.source, event.name) == ("pressure", "memory pressure")
    assert (event.start_ns, event.end_ns) == (began, began + 1000 * MS)
    assert event.attributes == {
        "flight_recorder.pressure.scope": "machine",
        "flight_recorder.pressure.stalled_ns": 300 * MS,
        "flight_recorder.pressure.fully_stalled_ns": 200 * MS,
    }


def test_a_process_that_does_nothing_looks_less_often(machine: Machine) -> None:
    """At five seconds as at one; what was waited for before it went on belongs to them."""
    source = Pressure(machine.rig.surroundings, str(machine.tree.proc), lambda: 0)
    source.tick()
    began = machine.clock.wall_ns()
    for second in range(1, 12):
        machine.write("proc/pressure/io", 5000 + 200 * second)
        machine.clock.advance(1)
        source.tick()

    found = [(event.record.start_ns - began, event.duration_ns) for event in machine.rig.events()]
    assert found == [(0, 5000 * MS), (5000 * MS, 5000 * MS)]


def test_a_little_waiting_is_nothing(machine: Machine) -> None:
    """Below a tenth of the time there is no event: that is any busy machine."""
    source = machine.source()
    for second in range(1, 10):
        machine.write("proc/pressure/cpu", 5000 + 99 * second)
        machine.clock.advance(1)
        source.tick()

    assert machine.rig.events() == []


def test_the_container_comes_before_the_machine(machine: Machine) -> None:
    """Where its group is accounted for, what others on the machine wait for does not count."""
    group = machine.tree.unified("/shop")
    (group / "cgroup.type").write_text("domain\n")
    for resource in ("cpu", "memory", "io"):
        (group / f"{resource}.pressure").write_text("some avg10=0.00 total=0\n")
    source = machine.source()
    machine.write("proc/pressure/cpu", 50_000)
    (group / "io.pressure").write_text("some avg10=9.00 total=500000\n")

    machine.clock.advance(1)
    source.tick()

    (event,) = [event.record for event in machine.rig.events()]
    assert event.name == "io pressure"
    assert event.attributes["flight_recorder.pressure.scope"] == "container"


def test_the_topmost_group_is_the_machine(machine: Machine) -> None:
    """It has files of pressure as well, but no type."""
    group = machine.tree.unified("/")
    (group / "cpu.pressure").write_text("some total=0\n")
    source = machine.source()
    machine.write("proc/pressure/cpu", 9000)

    machine.clock.advance(1)
    source.tick()

    (event,) = [event.record for event in machine.rig.events()]
    assert event.attributes["flight_recorder.pressure.scope"] == "machine"


@pytest.mark.parametrize("text", [None, "", "odd\n\n", "some avg10=1 total=odd\n"])
def test_a_kernel_that_does_not_measure_it(machine: Machine, text: str | None) -> None:
    """No file, or one that says nothing: no event, and nothing raises."""
    for resource in ("cpu", "memory", "io"):
        file = machine.tree.write(f"proc/pressure/{resource}", text or "")
        if text is None:
            file.unlink()
    source = machine.source()

    machine.clock.advance(1)
    source.tick()
    source.stop()

    assert machine.rig.events() == []


@pytest.mark.skipif(
    sys.platform != "linux" or not Path("/proc/pressure/cpu").exists(),
    reason="this kernel has no pressure stall information",
)
def test_on_this_machine(tmp_path: Path) -> None:
    """The real files are read; whether there is pressure depends on what else runs."""
    with SourceRig(tmp_path / "ring") as rig:
        source = Pressure(rig.surroundings)
        source.tick()

        assert set(source._last) <= {"cpu", "memory", "io"}
        assert source._last["cpu"].some_ns > 0
