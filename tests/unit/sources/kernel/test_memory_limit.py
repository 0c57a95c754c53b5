"""The memory of the container and its limit, from the kernel's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_flight.sources.kernel.memory_limit import ContainerMemory, MemoryLimit
from tests.support.rigs.kernel_tree import KernelTree

MIB = 1 << 20


@pytest.fixture
def tree(tmp_path: Path) -> KernelTree:
    """An empty machine."""
    return KernelTree(tmp_path)


def test_version_2(tree: KernelTree) -> None:
    """File cache and reclaimable kernel memory are not held."""
    group = tree.unified("/")
    (group / "memory.current").write_text(f"{100 * MIB}\n")
    (group / "memory.max").write_text(f"{128 * MIB}\n")
    (group / "memory.stat").write_text(
        f"anon {60 * MIB}\nactive_file {20 * MIB}\ninactive_file {8 * MIB}\n"
        f"slab_reclaimable {2 * MIB}\nslab_unreclaimable {MIB}\n"
    )

    memory = MemoryLimit(str(tree.proc)).read()

    assert memory == ContainerMemory(100 * MIB, 70 * MIB, 128 * MIB)


def test_version_1(tree: KernelTree) -> None:
    """The same by other names; the groups below count as well."""
    group = tree.version_1("memory", "/shop")
    (group / "memory.usage_in_bytes").write_text(f"{100 * MIB}\n")
    (group / "memory.limit_in_bytes").write_text(f"{128 * MIB}\n")
    (group / "memory.stat").write_text(
        f"active_file 1\ntotal_active_file {20 * MIB}\ntotal_inactive_file {8 * MIB}\n"
    )

    memory = MemoryLimit(str(tree.proc)).read()

    assert memory == ContainerMemory(100 * MIB, 72 * MIB, 128 * MIB)


@pytest.mark.parametrize("limit", ["9223372036854771712", "-1", "0", "odd"])
def test_version_1_without_a_limit(tree: KernelTree, limit: str) -> None:
    """It says so by a number that no machine has."""
    group = tree.version_1("memory", "/")
    (group / "memory.usage_in_bytes").write_text(f"{MIB}\n")
    (group / "memory.limit_in_bytes").write_text(f"{limit}\n")

    assert MemoryLimit(str(tree.proc)).read() == ContainerMemory(MIB, MIB, None)


def test_the_level_closest_to_its_limit_counts(tree: KernelTree) -> None:
    """A group around this one may have the tighter limit."""
    group = tree.unified("/pod/container")
    for directory, current, limit in (
        (group, 10, str(100 * MIB)),
        (group.parent, 90, str(100 * MIB)),
        (group.parent.parent, 500, "max"),
    ):
        (directory / "memory.current").write_text(f"{current * MIB}\n")
        (directory / "memory.max").write_text(f"{limit}\n")

    assert MemoryLimit(str(tree.proc)).read() == ContainerMemory(90 * MIB, 90 * MIB, 100 * MIB)


def test_a_limit_that_is_set_later_is_found(tree: KernelTree) -> None:
    """Within half a minute of readings a second."""
    group = tree.unified("/")
    (group / "memory.current").write_text(f"{MIB}\n")
    limit = MemoryLimit(str(tree.proc))
    before = limit.read()
    (group / "memory.max").write_text(f"{2 * MIB}\n")

    for _ in range(30):
        after = limit.read()

    assert before == ContainerMemory(MIB, MIB, None)
    assert after == ContainerMemory(MIB, MIB, 2 * MIB)


def test_nothing_where_the_kernel_does_not_tell(tree: KernelTree) -> None:
    """Without control groups, and in one that does not account for memory."""
    assert MemoryLimit(str(tree.proc)).read() is None
    tree.unified("/")
    assert MemoryLimit(str(tree.proc)).read() is None
