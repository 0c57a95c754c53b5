"""The source of what the process as a whole uses, against psutil and made-up machines."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from otel_flight.interpreter.concurrency.tasks import count_tasks
from otel_flight.interpreter.frames import IS_COMPILED
from otel_flight.sources.process_vitals import ProcessVitals
from otel_flight.testing import FakeClock
from tests.support.rigs.kernel_tree import KernelTree
from tests.support.rigs.source_rig import SourceRig
from tests.support.spans.made_span import made_span

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")


@pytest.fixture
def clock() -> FakeClock:
    """A clock of the test's own."""
    return FakeClock()


@pytest.fixture
def rig(tmp_path: Path, clock: FakeClock) -> Iterator[SourceRig]:
    """A ring to write into."""
    with SourceRig(tmp_path / "ring", clock, process_seconds=1.0) as rig:
        yield rig


def vitals(rig: SourceRig) -> list[dict[str, Any]]:
    """Return the attributes of each event, oldest first."""
    return [event.record.attributes for event in rig.events()]


@ON_LINUX
def test_memory_and_counts_are_those_of_psutil(rig: SourceRig) -> None:
    """Physical memory within what may change in between; threads, files, switches and time."""
    process = psutil.Process()
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    release = threading.Event()
    threads = [threading.Thread(target=release.wait, args=(20,)) for _ in range(3)]
    for thread in threads:
        thread.start()

    switches = process.num_ctx_switches()  # of the main thread alone
    ProcessVitals(rig.settings.process_seconds or 0, rig.surroundings).tick()
    with process.oneshot():
        memory, times = process.memory_info(), process.cpu_times()
        counted = process.num_threads(), process.num_fds()

    (found,) = vitals(rig)
    assert found["process.memory.usage"] == pytest.approx(memory.rss, rel=0.05)
    assert found["process.memory.virtual"] == pytest.approx(memory.vms, rel=0.05)
    assert found["process.thread.count"] == counted[0] >= 4
    # psutil opens one to count them.
    assert 23 <= found["process.open_file_descriptor.count"] == counted[1] - 1
    assert found["process.cpu.time"] == pytest.approx(times.user + times.system, abs=0.1)
    assert found["process.context_switches.voluntary"] >= switches.voluntary
    assert found["process.context_switches.involuntary"] >= switches.involuntary
    release.set()
    for thread in threads:
        thread.join(20)
    for file in files:
        os.close(file)


def test_an_event_every_period(rig: SourceRig, clock: FakeClock) -> None:
    """However often the ticker ticks; it is a moment, of the process and no thread."""
    source = ProcessVitals(
        rig.settings.process_seconds or 0, rig.surroundings, used_ns=clock.monotonic_ns
    )
    began = clock.wall_ns()

    for _ in range(25):
        source.tick()
        clock.advance(0.1)

    records = [event.record for event in rig.events()]
    assert [record.start_ns - began for record in records] == pytest.approx([0, 1e9, 2e9], abs=1000)
    assert {(record.source, record.name) for record in records} == {("process", "process vitals")}
    assert all(record.duration_ns == 0 and record.thread_id == 0 for record in records)


def test_less_often_while_nothing_goes_on(rig: SourceRig, clock: FakeClock) -> None:
    """Every fifth period, and at the next tick once it works again or serves a request."""
    used_ns = 0
    source = ProcessVitals(
        rig.settings.process_seconds or 0, rig.surroundings, used_ns=lambda: used_ns
    )
    began = clock.wall_ns()

    for tick in range(150):
        if tick == 82:
            used_ns += 100_000_000
        if tick == 120:
            rig.session.open_spans.roots[1] = (made_span(), 7, None, 0)
        source.tick()
        clock.advance(0.1)

    seconds = [(event.record.start_ns - began) / 1e9 for event in rig.events()]
    assert seconds == pytest.approx([0, 5, 8.2, 12, 13, 14], abs=0.001)


def test_utilization_is_of_the_time_since_the_last_event(rig: SourceRig, clock: FakeClock) -> None:
    """Of all processors that may be used; the first event has none."""
    source = ProcessVitals(rig.settings.process_seconds or 0, rig.surroundings)
    source.tick()
    before = os.times()
    while sum(os.times()[:2]) - sum(before[:2]) < 0.1:
        pass
    clock.advance(1)
    source.tick()

    first, second = vitals(rig)
    assert "process.cpu.utilization" not in first
    used = second["process.cpu.time"] - first["process.cpu.time"]
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    assert second["process.cpu.utilization"] == pytest.approx(used / processors, abs=0.002)


@pytest.mark.skipif(
    sys.version_info >= (3, 14) and not IS_COMPILED, reason="tasks are in lists that only C sees"
)
def test_tasks_are_counted_without_being_copied(rig: SourceRig) -> None:
    """Those of all loops, as long as they are alive; none is no attribute."""
    source = ProcessVitals(rig.settings.process_seconds or 0, rig.surroundings)
    before = count_tasks()

    async def many() -> int:
        tasks = [asyncio.ensure_future(asyncio.sleep(3600)) for _ in range(50)]
        await asyncio.sleep(0)
        source.tick()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return len(tasks)

    asyncio.run(many())

    (found,) = vitals(rig)
    assert found["flight_recorder.asyncio.tasks"] == before + 51


def test_the_container_is_told_of(rig: SourceRig, tmp_path: Path) -> None:
    """Its memory and its limit; a kernel whose format is not known says nothing."""
    tree = KernelTree(tmp_path)
    group = tree.unified("/")
    (group / "memory.current").write_text("1000\n")
    (group / "memory.max").write_text("4000\n")
    (group / "memory.stat").write_text("active_file 300\n")
    tree.write("proc/self/stat", "4711 (odd) name) S 1 2\n")

    ProcessVitals(rig.settings.process_seconds or 0, rig.surroundings, str(tree.proc)).tick()

    (found,) = vitals(rig)
    assert found["container.memory.usage"] == 1000
    assert found["flight_recorder.container.memory.held"] == 700
    assert found["flight_recorder.container.memory.limit"] == 4000
    assert "process.memory.usage" not in found


def test_where_there_is_no_such_file_system(rig: SourceRig, tmp_path: Path) -> None:
    """What the interpreter itself knows is still noted, and nothing raises."""
    source = ProcessVitals(
        rig.settings.process_seconds or 0, rig.surroundings, str(tmp_path / "nowhere")
    )

    source.start()
    source.tick()
    source.stop()

    (found,) = vitals(rig)
    assert found["process.thread.count"] == threading.active_count()
    assert found["process.cpu.time"] > 0
    assert found.keys().isdisjoint({"process.memory.usage", "container.memory.usage"})


def test_a_name_with_a_parenthesis_moves_no_field(rig: SourceRig, tmp_path: Path) -> None:
    """The program's name stands in the middle of the line and may contain anything."""
    fields = " ".join(str(number) for number in range(100, 150))
    tree = KernelTree(tmp_path)
    tree.write("proc/self/stat", f"4711 (a) b) 7) {fields}\n")

    ProcessVitals(rig.settings.process_seconds or 0, rig.surroundings, str(tree.proc)).tick()

    (found,) = vitals(rig)
    assert found["process.thread.count"] == 117
    assert found["process.memory.virtual"] == 120
    assert found["process.memory.usage"] == 121 * os.sysconf("SC_PAGE_SIZE")
