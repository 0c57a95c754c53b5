"""Where a ring goes, and how much of the application's memory it takes."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.errors import RingUnavailable
from otel_flight.ring.file import Backing, ring_directories
from otel_flight.ring.placement import Placed, place_ring
from tests.support.rigs.recording_rig import RecordingRig

SIZE = 1 << 20
MIB = 1 << 20
WANTED = 4096 + 255 * 65536
"""The bytes of a ring with the default settings."""
SOMEONE_ELSE = 12345
OWN = f"otel-flight-{os.geteuid()}"
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")


@pytest.fixture
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What a container of Docker has for shared memory: 64 MiB, all in all."""
    path = tmp_path / "shm"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system")
    monkeypatch.setattr("otel_flight.ring.file._SHARED_MEMORY", path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def free_bytes(path: Path) -> int:
    """Return how much a file system has left."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def close(*placed: Placed | Backing) -> None:
    """Remove rings."""
    for each in placed:
        (each.backing if isinstance(each, Placed) else each).close(unlink=True)


@is_root
def test_a_named_directory_of_someone_else_gets_one_of_ours(tmp_path: Path) -> None:
    """A memory volume that belongs to another user still holds our ring."""
    volume = tmp_path / "volume"
    volume.mkdir()
    os.chown(volume, SOMEONE_ELSE, SOMEONE_ELSE)

    backing, refusals, _ = place_ring(ring_directories(volume), "1.ring", SIZE)

    assert backing.path == volume / f"otel-flight-{os.geteuid()}" / "1.ring"
    assert [refusal.path for refusal in refusals] == [str(volume)]
    backing.close(unlink=True)


def test_without_any_directory_the_ring_is_in_plain_memory(tmp_path: Path) -> None:
    """Recording goes on; the refusals say why it will not outlive the process."""
    (tmp_path / "file").write_text("no directory")
    backing, refusals, _ = place_ring([tmp_path / "file", Path("/proc/x")], "1.ring", SIZE)

    assert (backing.path, backing.descriptor) == (None, None)
    assert len(backing.memory) == SIZE
    assert [refusal.path for refusal in refusals] == [str(tmp_path / "file"), "/proc/x"]
    backing.close(unlink=True)


def test_the_first_directory_that_will_do_is_taken(tmp_path: Path) -> None:
    """Directories after it are not even made."""
    backing, refusals, _ = place_ring([tmp_path / "a", tmp_path / "b"], "1.ring", SIZE)

    assert backing.path == tmp_path / "a" / "1.ring"
    assert refusals == []
    assert not (tmp_path / "b").exists()
    backing.close(unlink=True)


def test_a_parent_and_eight_workers_leave_three_quarters(shared_memory: Path) -> None:
    """The application's own shared memory is mapped sparsely: when it is full, SIGBUS kills it."""
    rings = [place_ring(ring_directories(None), f"{n}.ring", WANTED) for n in range(9)]

    assert free_bytes(shared_memory) >= 48 * MIB
    assert len(rings[0].backing.memory) == pytest.approx(8 * MIB, rel=0.02)
    assert "64.0 MiB free" in rings[0].shortage or "63." in rings[0].shortage
    in_memory = [
        each
        for each in rings
        if each.backing.path is not None and shared_memory in each.backing.path.parents
    ]
    assert len(in_memory) >= 4, "a smaller ring comes before a slower place"
    for each in rings[len(in_memory) :]:
        assert [refusal.path for refusal in each.refusals] == [str(shared_memory / OWN)]
    close(*rings)


def _place(number: int, barrier: object, sizes: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    placed = place_ring(ring_directories(None)[:1], f"{number}.ring", WANTED)
    sizes.put(len(placed.backing.memory) if placed.backing.path else 0)  # type: ignore[attr-defined]
    barrier.wait()  # type: ignore[attr-defined]
    close(placed)


# Who runs tests in parallel has a thread in each process.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_workers_that_start_at_once_share_the_room(shared_memory: Path) -> None:
    """Each sees what the others took, though all of them look at the same moment."""
    context = multiprocessing.get_context("fork")
    barrier, sizes = context.Barrier(9), context.Queue()
    workers = [context.Process(target=_place, args=(n, barrier, sizes)) for n in range(8)]
    for worker in workers:
        worker.start()
    barrier.wait(30)

    taken = [sizes.get(timeout=30) for _ in workers]

    assert free_bytes(shared_memory) >= 48 * MIB
    assert sum(taken) <= 16 * MIB
    assert sorted(taken)[-1] > 7 * MIB
    barrier.wait(30)
    for worker in workers:
        worker.join()


def test_dead_rings_make_room_first(shared_memory: Path) -> None:
    """A ring that nobody writes any more does not make a living one smaller."""
    directory = ring_directories(None)[0]
    for _ in range(3):
        rig = RecordingRig(directory, window_bytes="4MiB")
        rig.ring.close(clean=False)

    placed = place_ring([directory], "new.ring", WANTED)

    assert [path.name for path in directory.iterdir()] == ["new.ring"]
    assert len(placed.backing.memory) > 7 * MIB
    close(placed)


def test_a_named_directory_may_be_filled(shared_memory: Path) -> None:
    """A volume that was mounted for rings is used as far as it goes."""
    named = shared_memory / "rings"
    rings = [place_ring([named], f"{number}.ring", WANTED) for number in range(4)]

    assert [len(each.backing.memory) for each in rings] == [WANTED] * 4
    assert [each.shortage for each in rings] == [""] * 4
    smaller = place_ring([named], "5.ring", WANTED)
    assert smaller.backing.path is None
    assert isinstance(smaller.refusals[0], RingUnavailable)
    close(*rings, smaller)


def test_a_stopped_process_does_not_hold_up_another(tmp_path: Path) -> None:
    """Who finds the directory locked for a second takes the next place."""
    first = tmp_path / "first"
    first.mkdir(mode=0o700)
    descriptor = os.open(first, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    placed = place_ring([first, tmp_path / "second"], "1.ring", SIZE)

    assert placed.backing.path == tmp_path / "second" / "1.ring"
    assert "another process" in str(placed.refusals[0])
    os.close(descriptor)
    close(placed)
