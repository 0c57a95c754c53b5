"""Where a ring may live, and that nobody else can get at it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.errors import RingUnavailable
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import open_directory
from otel_flight.ring import file
from otel_flight.ring.file import (
    create_backing,
    is_owner_alive,
    ring_directories,
)

SIZE = 1 << 20
SOMEONE_ELSE = 12345
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory with room for half a ring."""
    path = tmp_path / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE // 2}", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_ring_is_made_in_a_directory_that_only_we_can_enter(tmp_path: Path) -> None:
    """Directory 0700, file 0600, all of it allocated, zeroed, locked."""
    directory = tmp_path / "deep" / "ring"
    backing = create_backing(directory, "1.ring", SIZE)

    assert backing.path == directory / "1.ring"
    status = backing.path.stat()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_size == SIZE
    assert status.st_blocks * 512 >= SIZE
    assert not any(backing.memory[:])
    with backing.path.open("rb") as other:
        assert is_owner_alive(other.fileno())
        backing.close(unlink=False)
        assert not is_owner_alive(other.fileno())
    assert backing.path.exists()


def test_a_ring_is_removed_when_asked_to(tmp_path: Path) -> None:
    """Also when it was removed already."""
    backing = create_backing(tmp_path / "ring", "1.ring", SIZE)
    assert backing.path is not None
    backing.path.unlink()

    backing.close(unlink=True)

    assert list((tmp_path / "ring").iterdir()) == []


def test_looking_whether_the_owner_lives_does_not_disturb_it(tmp_path: Path) -> None:
    """Two that look at once do not take each other for the owner."""
    backing = create_backing(tmp_path / "ring", "1.ring", SIZE)
    assert backing.path is not None
    with backing.path.open("rb") as one, backing.path.open("rb") as two:
        backing.close(unlink=False)
        fcntl.flock(one.fileno(), fcntl.LOCK_SH)

        assert not is_owner_alive(two.fileno())


def test_a_file_that_is_there_already_is_not_touched(tmp_path: Path) -> None:
    """Nor is one that a symbolic link of that name points to."""
    directory, victim = tmp_path / "ring", tmp_path / "victim"
    directory.mkdir(mode=0o700)
    victim.write_text("mine")
    (directory / "1.ring").write_text("other")
    (directory / "2.ring").symlink_to(victim)

    for name in ("1.ring", "2.ring"):
        with pytest.raises(RingUnavailable, match="File exists"):
            create_backing(directory, name, SIZE)

    assert (directory / "1.ring").read_text() == "other"
    assert victim.read_text() == "mine"


def test_a_symbolic_link_is_no_directory(tmp_path: Path) -> None:
    """A link that someone put where our directory should be is not followed, dangling or not."""
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")

    for name in ("link", "dangling"):
        with pytest.raises(RingUnavailable):
            create_backing(tmp_path / name, "1.ring", SIZE)

    assert list(real.iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o722, 0o770])
def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """Others could replace the ring there."""
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(mode)

    with pytest.raises(RingUnavailable, match=f"others may write to it \\(mode {mode:04o}\\)"):
        open_directory(directory, RingUnavailable)


@is_root
def test_a_directory_of_someone_else_is_refused(tmp_path: Path) -> None:
    """Whoever owns it can rename what is in it."""
    directory = tmp_path / "theirs"
    directory.mkdir(mode=0o700)
    os.chown(directory, SOMEONE_ELSE, SOMEONE_ELSE)

    with pytest.raises(RingUnavailable, match=f"it belongs to user {SOMEONE_ELSE}"):
        create_backing(directory, "1.ring", SIZE)
    assert list(directory.iterdir()) == []


def test_a_named_directory_that_is_a_link_gets_none(tmp_path: Path) -> None:
    """Whoever made the link would choose where our files go."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)

    assert ring_directories(link)[0] == link
    assert link / f"otel-flight-{os.geteuid()}" not in ring_directories(link)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "/proc/otel-flight", "/dev/null/ring"])
def test_a_directory_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    """Whatever is wrong with a path, it is one and the same error."""
    with pytest.raises(RingUnavailable):
        create_backing(tmp_path / name, "1.ring", SIZE)


def test_a_file_system_without_room_is_refused_at_once(small_tmpfs: Path) -> None:
    """A full file system is an error now, not a SIGBUS at some later store."""
    with pytest.raises(RingUnavailable, match="No space left"):
        create_backing(small_tmpfs / "ring", "1.ring", SIZE)

    assert list((small_tmpfs / "ring").iterdir()) == []


def test_a_read_only_file_system_is_refused(small_tmpfs: Path) -> None:
    """Nothing can be made there."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_tmpfs)], check=True)

    with pytest.raises(RingUnavailable, match=os.strerror(errno.EROFS)):
        create_backing(small_tmpfs / "ring", "1.ring", SIZE)


def test_shared_memory_comes_before_the_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named directory comes first, in whatever way it can be had."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = f"otel-flight-{os.geteuid()}"

    assert ring_directories(None) == [Path("/dev/shm") / own, tmp_path / own]
    assert ring_directories(Path("/x")) == [
        Path("/x"),
        Path("/x") / own,
        Path("/dev/shm") / own,
        tmp_path / own,
    ]


def test_without_a_temporary_directory_there_is_still_shared_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A container with a read-only root may have nowhere to put temporary files."""

    def no_directory() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", no_directory)

    assert ring_directories(None) == [Path("/dev/shm") / f"otel-flight-{os.geteuid()}"]


def test_pages_are_allocated_also_where_there_is_no_call_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is none on macOS, where zeros are written instead."""
    monkeypatch.delattr(posix, "posix_fallocate")

    backing = create_backing(tmp_path / "ring", "1.ring", 3 * SIZE + 4096)

    assert backing.path is not None
    assert backing.path.stat().st_size == 3 * SIZE + 4096
    assert backing.path.stat().st_blocks * 512 >= 3 * SIZE
    backing.close(unlink=True)


def test_our_descriptors_are_out_of_the_way(tmp_path: Path) -> None:
    """The lowest free number is left to programs that count on it; none is inherited."""
    backing = create_backing(tmp_path / "ring", "1.ring", SIZE)

    assert backing.descriptor is not None
    assert backing.descriptor >= 256
    assert not os.get_inheritable(backing.descriptor)
    backing.close(unlink=True)


def test_descriptors_that_are_others_by_now_stay_open(tmp_path: Path) -> None:
    """A daemon closes all it does not know, and opens files of its own under the same numbers."""
    backing = create_backing(tmp_path / "ring", "1.ring", SIZE)
    numbers = [each for each in (backing.descriptor, backing.inner_descriptor) if each is not None]
    other = os.open(__file__, os.O_RDONLY)
    for number in numbers:
        os.dup2(other, number)

    backing.close(unlink=True)

    assert [os.path.sameopenfile(number, other) for number in numbers] == [True] * len(numbers)
    for number in (other, *numbers):
        os.close(number)
    for memory in file._never_unmapped:
        memory.close()
    file._never_unmapped.clear()


def test_descriptors_that_were_closed(tmp_path: Path) -> None:
    """Closing again is no error, and the ring's file is removed."""
    backing = create_backing(tmp_path / "ring", "1.ring", SIZE)
    for number in {backing.descriptor, backing.inner_descriptor} - {None}:
        os.close(number)  # type: ignore[arg-type]

    backing.close(unlink=True)

    assert backing.path is not None
    assert not backing.path.exists()
