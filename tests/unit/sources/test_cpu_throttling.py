"""The source of times in which the container's processor limit held the process back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.records.records import RuntimeEvent
from otel_flight.sources.cpu_throttling import CpuThrottling, Quota, read_quota
from otel_flight.testing import FakeClock
from tests.support.rigs.kernel_tree import KernelTree
from tests.support.rigs.source_rig import SourceRig

MS = 1_000_000
QUOTA = Quota("/", 20 * MS, 100 * MS)


class Container:
    """A container with a limit of a fifth of a processor, and the source in it.

    Args:
        directory: where its files and the ring go.
        version: of the control groups' interface.
    """

    def __init__(self, directory: Path, version: int = 2) -> None:
        self.clock = FakeClock()
        self.version = version
        self.tree = KernelTree(directory)
        self.group = (
            self.tree.unified("/") if version == 2 else self.tree.version_1("cpu,cpuacct", "/")
        )
        self.periods = 0
        self.throttled_ms = 0
        self.limit("20000 100000")
        self.count(0, 0)
        self.rig = SourceRig(directory / "ring", self.clock)
        self.source = CpuThrottling(self.rig.surroundings, str(self.tree.proc))
        self.source.start()
        self.source.tick()

    def limit(self, text: str) -> None:
        """Set the limit: microseconds in a period of so many."""
        if self.version == 2:
            (self.group / "cpu.max").write_text(f"{text}\n")
        else:
            quota, period = text.replace("max", "-1").split()
            (self.group / "cpu.cfs_quota_us").write_text(f"{quota}\n")
            (self.group / "cpu.cfs_period_us").write_text(f"{period}\n")

    def count(self, periods: int, throttled_ms: int) -> None:
        """Let the kernel count more of them."""
        self.periods += periods
        self.throttled_ms += throttled_ms
        stat = f"nr_periods 9999\nnr_throttled {self.periods}\n"
        if self.version == 2:
            stat += f"usage_usec 12345\nthrottled_usec {self.throttled_ms * 1000}\n"
        else:
            stat += f"throttled_time {self.throttled_ms * MS}\n"
        (self.group / "cpu.stat").write_text(stat)

    def pass_time(self, ticks: int, *, throttled_ms: int = 0) -> None:
        """Let ticks pass, in each of which the container is throttled for so long."""
        for _ in range(ticks):
            self.clock.advance(0.1)
            self.count(int(throttled_ms > 0), throttled_ms)
            self.source.tick()

    def events(self) -> list[RuntimeEvent]:
        """Return what was recorded."""
        return [event.record for event in self.rig.events()]


@pytest.fixture(params=[1, 2], ids=["version-1", "version-2"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """A container under either version."""
    container = Container(tmp_path, request.param)
    yield container
    container.source.stop()
    container.rig.close()


def test_a_stretch_of_throttling_is_one_event(container: Container) -> None:
    """From the tick before it began to the one at which it was seen last, with what was counted."""
    container.pass_time(2)
    began = container.clock.wall_ns()
    container.pass_time(4, throttled_ms=80)
    container.pass_time(5)

    (event,) = container.events()
    assert (event.source, event.name) == ("throttling", "cpu throttled")
    assert (event.start_ns, event.end_ns) == (began, began + 400 * MS)
    assert event.attributes == {
        "flight_recorder.container.cpu.limit": 0.2,
        "flight_recorder.throttled.periods": 4,
        "flight_recorder.throttled.time_ns": 320 * MS,
        "flight_recorder.held_back_ns": 320 * MS,
    }


def test_throttling_that_goes_on_is_told_every_second(container: Container) -> None:
    """So that a trigger hears of it in time; the pieces follow on each other."""
    container.pass_time(26, throttled_ms=80)
    container.pass_time(1)

    events = container.events()
    assert [event.duration_ns // MS for event in events] == [1000, 1000, 600]
    assert [one.end_ns for one in events[:2]] == [next_.start_ns for next_ in events[1:]]
    assert sum(event.attributes["flight_recorder.throttled.periods"] for event in events) == 26


def test_a_container_that_stays_below_its_limit_says_nothing(container: Container) -> None:
    """And what was counted before the source began is not its concern."""
    container.count(1000, 100_000)
    container.source = CpuThrottling(container.rig.surroundings, str(container.tree.proc))
    container.source.tick()

    container.pass_time(50)

    assert container.events() == []


def test_a_limit_that_is_set_later_is_found(container: Container) -> None:
    """Within half a minute; one that was lifted is forgotten."""
    container.limit("max 100000")
    container.pass_time(310)
    container.pass_time(3, throttled_ms=50)
    assert container.events() == []

    container.limit("50000 100000")
    container.pass_time(310)
    container.pass_time(3, throttled_ms=50)
    container.pass_time(1)

    (event,) = container.events()
    assert event.attributes["flight_recorder.container.cpu.limit"] == 0.5


def test_no_limit_no_event(tmp_path: Path) -> None:
    """Without control groups nothing is read and nothing raises."""
    clock = FakeClock()
    with SourceRig(tmp_path / "ring", clock) as rig:
        source = CpuThrottling(rig.surroundings, str(tmp_path / "nowhere"))
        for _ in range(500):
            source.tick()
            clock.advance(0.1)

        assert rig.events() == []


@pytest.mark.parametrize(
    ("periods", "throttled_ms", "held_back_ms"),
    [
        pytest.param(1, 80, 80, id="one-thread-ran-20-of-100-ms"),
        pytest.param(10, 800, 800, id="for-a-second"),
        pytest.param(1, 180, 90, id="two-threads-ran-10-ms-each"),
        pytest.param(1, 20, 20, id="it-only-just-reached-the-limit"),
        pytest.param(0, 50, 0, id="nothing-counted-yet"),
        pytest.param(3, 0, 0, id="no-time-counted-yet"),
    ],
)
def test_the_time_held_back_is_that_of_a_clock_on_the_wall(
    periods: int, throttled_ms: int, held_back_ms: int
) -> None:
    """What the kernel counts is a sum over processors, which can be many times more."""
    assert QUOTA.held_back_ns(periods, throttled_ms * MS) == held_back_ms * MS


@pytest.mark.parametrize("text", ["max 100000", "", "odd", "0 100000", "20000 0", "20000"])
def test_what_is_no_limit(tmp_path: Path, text: str) -> None:
    """None, or one that cannot be."""
    (tmp_path / "cpu.max").write_text(text)

    assert read_quota(2, str(tmp_path)) is None
    assert read_quota(1, str(tmp_path)) is None
