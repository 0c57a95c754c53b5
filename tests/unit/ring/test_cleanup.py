"""Rings of dead processes are kept for a while, and not for ever."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_flight.ring.cleanup import KEPT_DEAD_RINGS, remove_old_dead_rings
from tests.support.rigs.recording_rig import RecordingRig


@pytest.fixture
def leave_ring(tmp_path: Path) -> Callable[[int], Path]:
    """Leaves a dead process's ring of a given age in `tmp_path / "ring"`."""

    def leave(age_seconds: int) -> Path:
        rig = RecordingRig(tmp_path / "ring", window_bytes="512KiB")
        path = rig.ring.backing.path
        assert path is not None
        rig.ring.close(clean=False)
        modified = path.stat().st_mtime - age_seconds
        os.utime(path, (modified, modified))
        return path

    return leave


def test_the_newest_few_stay(tmp_path: Path, leave_ring: Callable[[int], Path]) -> None:
    """The oldest go first, and how many went is said."""
    paths = [leave_ring(age) for age in (50, 10, 40, 20, 60, 30)]

    removed = remove_old_dead_rings(tmp_path / "ring")

    assert removed == 2
    assert KEPT_DEAD_RINGS == 4
    assert [path.exists() for path in paths] == [False, True, True, True, False, True]
    assert remove_old_dead_rings(tmp_path / "ring") == 0


def test_rings_in_use_stay(tmp_path: Path, leave_ring: Callable[[int], Path]) -> None:
    """A living process's ring is neither removed nor counted."""
    dead = leave_ring(10)
    with RecordingRig(tmp_path / "ring", window_bytes="512KiB") as rig:
        path = rig.ring.backing.path
        assert path is not None
        os.utime(path, (0, 0))

        assert remove_old_dead_rings(tmp_path / "ring", keep=0) == 1

        assert path.exists()
        assert not dead.exists()


def test_other_files_stay(tmp_path: Path, leave_ring: Callable[[int], Path]) -> None:
    """What is no ring, or one being made just now, is not ours to judge."""
    directory = leave_ring(10).parent
    (directory / "made-just-now.ring").write_bytes(b"\0" * 100_000)
    (directory / "empty.ring").touch()
    (directory / "folder.ring").mkdir()
    (directory / "notes.txt").write_text("mine")
    (directory / "link.ring").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(directory / "pipe.ring")

    assert remove_old_dead_rings(directory, keep=0) == 1

    assert len(list(directory.iterdir())) == 6


def test_a_directory_that_is_gone_is_no_error(tmp_path: Path) -> None:
    """There is nothing to remove in it."""
    assert remove_old_dead_rings(tmp_path / "nowhere") == 0


def test_rings_that_were_never_finished_are_removed(tmp_path: Path) -> None:
    """Their process died over making them; one that is being made just now stays."""
    for name, content in (("empty", b""), ("zeros", bytes(4096)), ("young", b""), ("other", b"x")):
        path = tmp_path / f"{name}.ring"
        path.write_bytes(content)
        if name != "young":
            os.utime(path, (0, 0))

    assert remove_old_dead_rings(tmp_path) == 2
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["other", "young"]
