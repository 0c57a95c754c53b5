"""How often the kernel killed as memory ran out."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_flight.sources.kernel.oom_kills import oom_counter, oom_kills
from tests.support.rigs.kernel_tree import KernelTree


@pytest.fixture
def tree(tmp_path: Path) -> KernelTree:
    """A machine without control groups."""
    return KernelTree(tmp_path)


def test_version_2_counts_with_its_events(tree: KernelTree) -> None:
    """Of this process's own group."""
    group = tree.unified("/shop")
    (group / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n")

    counter = oom_counter(str(tree.proc))

    assert counter == str(group / "memory.events")
    assert oom_kills(counter) == 2


def test_version_1_counts_with_its_control(tree: KernelTree) -> None:
    """Since Linux 4.13."""
    group = tree.version_1("memory", "/shop")
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")

    assert oom_kills(oom_counter(str(tree.proc))) == 1


def test_the_machine_counts_where_its_group_does_not(tree: KernelTree) -> None:
    """As for a process that is in none."""
    tree.write("proc/vmstat", "pgfault 7\noom_kill 4\n")

    assert oom_kills(oom_counter(str(tree.proc))) == 4


def test_nothing_counts(tree: KernelTree) -> None:
    """On another system, or an old kernel; and a counter may be gone later."""
    assert oom_counter(str(tree.proc)) == ""
    assert oom_kills("") is None
