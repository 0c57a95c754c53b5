"""Directories and files of our own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from otel_flight.errors import SpoolUnavailable
from otel_flight.own_files import (
    directory_problem,
    lock_directory,
    open_directory,
    whole_file,
)


def fail_to_finish(stream: BinaryIO) -> None:
    """Write a part of a file, as on a disk that becomes full."""
    stream.write(b"new")
    raise OSError("no more")


def make(path: Path) -> None:
    """Make a directory as the spool and the ring do."""
    os.close(open_directory(path, SpoolUnavailable))


def test_what_is_made_on_the_way_is_closed_to_others(tmp_path: Path) -> None:
    """Whoever may write to a directory above ours could replace ours."""
    before = os.umask(0)
    try:
        make(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)

    for name in ("a", "a/b", "a/b/c"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["x\0y", "x" * 300])
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    """With the error that the caller wants."""
    with pytest.raises(SpoolUnavailable):
        make(tmp_path / name)
    assert directory_problem(tmp_path / name)


def test_a_problem_is_told_without_making_anything(tmp_path: Path) -> None:
    """What could be made is no problem; it is not there afterwards."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    found = {
        name: directory_problem(tmp_path / name)
        for name in ("new", "new/below", "file", "file/below", "link", "open")
    }

    assert found == {
        "new": "",
        "new/below": "",
        "file": "Not a directory",
        "file/below": "Not a directory",
        "link": "it is a symbolic link",
        "open": "others may write to it (mode 0777)",
    }
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "link", "open"]


def test_a_file_replaces_what_has_its_name(tmp_path: Path) -> None:
    """A link is not followed, and nobody but us may read it."""
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "file").symlink_to(tmp_path / "victim")

    with whole_file(tmp_path / "file") as stream:
        stream.write(b"new")

    assert (tmp_path / "victim").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "file").lstat().st_mode & 0o777 == 0o600


def test_a_file_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    """The old one stays, and no part of the new one."""
    (tmp_path / "file").write_text("old")

    with pytest.raises(OSError, match="no more"), whole_file(tmp_path / "file") as stream:
        fail_to_finish(stream)

    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_lock_is_waited_for_a_second_at_most(tmp_path: Path) -> None:
    """A sibling that hangs does not keep the others from what they do."""
    first, second = (open_directory(tmp_path / "d", SpoolUnavailable) for _ in range(2))
    try:
        assert lock_directory(first)
        assert not lock_directory(second)
        os.close(first)
        assert lock_directory(second)
    finally:
        os.close(second)
