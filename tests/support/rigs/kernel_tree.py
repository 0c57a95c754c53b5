"""A process file system and control groups as Linux shows them, in a directory of a test's own."""

from __future__ import annotations

from pathlib import Path


class KernelTree:
    """Files in the kernel's formats.

    Args:
        directory: where they go.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.proc = directory / "proc"
        self.write("proc/self/cgroup", "")
        self.write("proc/self/mountinfo", "")

    def write(self, path: str, text: str) -> Path:
        """Write a file, its directories if need be."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def unified(self, own: str, *, root: str = "/") -> Path:
        """Mount version 2 with this process in a group; return the group's directory.

        Args:
            own: the group's path, as the process sees it.
            root: the group that is mounted.
        """
        mount_point = self.directory / "sys" / "cgroup"
        self._add(
            f"0::{own}",
            f"31 23 0:27 {root} {_escaped(mount_point)} rw,nosuid shared:9 - cgroup2 cgroup2 rw",
        )
        return self._group(mount_point, own, root)

    def version_1(self, controllers: str, own: str, *, root: str = "/") -> Path:
        """Mount a hierarchy of version 1 with this process in a group; return its directory."""
        mount_point = self.directory / "sys" / controllers
        self._add(
            f"7:{controllers}:{own}",
            f"33 31 0:29 {root} {_escaped(mount_point)} rw - cgroup cgroup rw,{controllers}",
        )
        return self._group(mount_point, own, root)

    def _group(self, mount_point: Path, own: str, root: str) -> Path:
        below = own.removeprefix(root if root != "/" else "").strip("/")
        group = mount_point if ".." in own else mount_point / below
        group.mkdir(parents=True, exist_ok=True)
        return group

    def _add(self, group: str, mount: str) -> None:
        for name, line in (("cgroup", group), ("mountinfo", mount)):
            file = self.proc / "self" / name
            file.write_text(f"{file.read_text()}{line}\n", encoding="utf-8")


def _escaped(path: Path) -> str:
    return str(path).replace(" ", "\\040")
