"""The file beside a ring for what can be written without Python."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otel_flight.errors import RingUnavailable
from otel_flight.ring.stacks_file import StacksFile, read_stacks, stacks_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of a ring goes."""
    return stacks_path(tmp_path / "17-ab.ring")


def taken(file: StacksFile) -> str:
    """Return what was written into a file that is still open."""
    found = file.take()
    assert found is not None
    return found.text


def test_it_has_its_rings_name(tmp_path: Path) -> None:
    """Also when that is claimed."""
    assert stacks_path(tmp_path / "17-ab.ring") == tmp_path / "17-ab.stacks"
    assert stacks_path(tmp_path / "17-ab.claimed") == tmp_path / "17-ab.stacks"


def test_what_was_written_is_taken_once(path: Path) -> None:
    """Then there is room for more: it never holds more than what came since."""
    file = StacksFile(path)
    os.write(file.descriptor, b"one")
    assert read_stacks(path).text == "one"
    assert taken(file) == "one"
    assert taken(file) == ""

    os.write(file.descriptor, b"two")

    assert taken(file) == "two"
    assert read_stacks(path) == ("", 0)
    file.close(unlink=True)
    assert not path.exists()


def test_nobody_else_can_read_it_or_inherits_it(path: Path) -> None:
    """Its descriptor is out of the way of programs that count on low numbers."""
    file = StacksFile(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert not os.get_inheritable(file.descriptor)
    assert file.descriptor >= 256
    file.close(unlink=True)


def test_a_name_that_is_taken_is_refused(path: Path) -> None:
    """A link that waits there leads nowhere."""
    path.symlink_to(path.parent / "other")

    with pytest.raises(RingUnavailable):
        StacksFile(path)
    assert not (path.parent / "other").exists()


def test_a_number_that_is_another_files_by_now_is_left_alone(path: Path) -> None:
    """A daemon closes what it does not know, and opens its own."""
    file = StacksFile(path)
    os.close(file.descriptor)
    assert file.take() is None
    other = os.open(path.parent, os.O_RDONLY)
    os.dup2(other, file.descriptor)
    assert file.take() is None

    file.close(unlink=False)

    os.fstat(file.descriptor)
    os.close(file.descriptor)
    os.close(other)


def test_what_is_no_file_says_nothing(path: Path) -> None:
    """Neither what is missing, nor a pipe, which nobody waits for."""
    assert read_stacks(path) == ("", 0)
    os.mkfifo(path)
    assert read_stacks(path) == ("", 0)


def test_bytes_of_any_kind_are_read(path: Path) -> None:
    """They are what a dying process wrote."""
    path.write_bytes(b"\xff\x00 x")
    assert read_stacks(path).text == "\\xff\x00 x"
