"""Directories and files of our own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from otel_flight.errors import SpoolUnavailable
from otel_flight.ground.own_files import (
    directory_problem,
    lock_directory,
    open_directory,
    open_file,
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


def test_a_file_of_ours_is_opened(tmp_path: Path) -> None:
    """Also to be written into, where that is asked for."""
    (tmp_path / "file").write_bytes(b"ours")

    descriptor = open_file(tmp_path / "file", os.O_RDWR)

    assert os.read(descriptor, 4) == b"ours"
    assert os.write(descriptor, b"!") == 1
    os.close(descriptor)


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_what_is_no_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    """A link may lead anywhere, and a pipe would be waited for."""
    path = tmp_path / kind
    if kind == "link":
        (tmp_path / "file").write_bytes(b"")
        path.symlink_to(tmp_path / "file")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()

    with pytest.raises(OSError, match=r"link|regular|levels"):
        open_file(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever planted it knows what is in it; root may look at what belongs to others."""
    (tmp_path / "file").write_bytes(b"theirs")
    os.chown(tmp_path / "file", 1234, 1234)

    os.close(open_file(tmp_path / "file"))
    monkeypatch.setattr("otel_flight.ground.own_files.geteuid", lambda: 4321)
    with pytest.raises(PermissionError, match="it belongs to user 1234"):
        open_file(tmp_path / "file")


@pytest.mark.parametrize("use", [make, lambda path: whole_file(path / "file").__enter__()])
def test_nothing_of_ours_goes_into_a_fake_file_system(use: Callable[[Path], object]) -> None:
    """The program's tests see there what they have put there."""
    patcher = pytest.importorskip("pyfakefs.fake_filesystem_unittest").Patcher()
    with patcher:
        place = patcher.fs.create_dir("/place").path
        with pytest.raises(OSError, match="another file system in its place"):
            use(Path(place))

        assert os.listdir(place) == []  # noqa: PTH208  (it is the fake one)
