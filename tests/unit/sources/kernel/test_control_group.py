"""Where the control groups of a process are, in the arrangements that are found in the field."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from otel_flight.sources.kernel.control_group import ControlGroup, find_control_group
from tests.support.rigs.kernel_tree import KernelTree


@pytest.fixture
def tree(tmp_path: Path) -> KernelTree:
    """An empty machine; its path has a blank in it, which the kernel writes as an escape."""
    return KernelTree(tmp_path / "a machine")


def find(tree: KernelTree, controller: str = "cpu") -> ControlGroup | None:
    """Return the group that is found."""
    return find_control_group(controller, str(tree.proc))


def test_a_unit_on_a_host_of_version_2(tree: KernelTree) -> None:
    """The service's own group first, then those around it up to the topmost."""
    group = tree.unified("/system.slice/shop.service")

    found = find(tree)

    assert found == ControlGroup(2, (str(group), str(group.parent), str(group.parent.parent)))


def test_a_container_with_a_view_of_its_own(tree: KernelTree) -> None:
    """In a namespace its own group is the topmost one."""
    group = tree.unified("/")

    assert find(tree) == ControlGroup(2, (str(group),))


def test_a_container_that_sees_the_path_of_the_host(tree: KernelTree) -> None:
    """Only its own group is mounted, under the path that it has outside."""
    group = tree.version_1("memory", "/docker/4f2a", root="/docker/4f2a")

    assert find(tree, "memory") == ControlGroup(1, (str(group),))


def test_a_group_outside_of_the_namespace(tree: KernelTree) -> None:
    """A process that was moved sees a path with `..`: what is mounted is taken."""
    group = tree.unified("/../../elsewhere")

    assert find(tree) == ControlGroup(2, (str(group),))


def test_both_versions_at_once(tree: KernelTree) -> None:
    """A controller that version 1 has is not in version 2; another one is."""
    old = tree.version_1("cpu,cpuacct", "/batch")
    new = tree.unified("/user")

    assert find(tree, "cpu") == ControlGroup(1, (str(old), str(old.parent)))
    assert find(tree, "memory") == ControlGroup(2, (str(new), str(new.parent)))


def test_a_directory_that_is_not_there(tree: KernelTree) -> None:
    """The levels that exist are returned, such as the mount itself."""
    group = tree.unified("/gone/away")
    group.rmdir()
    group.parent.rmdir()

    assert find(tree) == ControlGroup(2, (str(group.parent.parent),))


@pytest.mark.parametrize(
    ("groups", "mounts"),
    [
        ("", ""),
        ("0::/", ""),
        ("", "31 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"),
        ("nonsense\n::\n", "nonsense\n31 23 - cgroup2\n - \n"),
    ],
)
def test_nothing_is_found_where_nothing_is_told(tree: KernelTree, groups: str, mounts: str) -> None:
    """Without control groups, and in files of another format."""
    tree.write("proc/self/cgroup", groups)
    tree.write("proc/self/mountinfo", mounts)

    assert find(tree) is None


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
def test_on_this_machine() -> None:
    """What is found here, if anything, are directories with this process's files."""
    found = find_control_group("memory")

    if found is not None:
        assert all(Path(level).is_dir() for level in found.levels)
        assert (Path(found.levels[0]) / "cgroup.procs").exists()
