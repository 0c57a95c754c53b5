"""Where incidents are kept, and what is said when it is not where they should be."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

import pytest

from otel_flight.errors import SpoolUnavailable
from otel_flight.ground.own_files import own_name
from otel_flight.incidents.spool.place import SpoolPlace, spool_directories
from otel_flight.testing import FakeClock

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings that were logged."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def put(stream: BinaryIO) -> None:
    """Write something."""
    stream.write(b"x")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the temporary directory, as Python sees it."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    return directory


def test_the_directories_in_their_order(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was named, or a directory of ours in there, then the state, then one of ours."""
    last = temporary / own_name() / "spool"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    usual = [tmp_path / "otel-flight" / "spool", last]
    assert spool_directories(None) == usual
    named = tmp_path / "named"
    assert spool_directories(named) == [named, named / own_name(), *usual]

    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/home/someone")
    home = Path("/home/someone/.local/state/otel-flight/spool")
    assert spool_directories(None) == [home, last]


def test_a_directory_that_can_be_used_is_used_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The usual case."""
    place = SpoolPlace([tmp_path / "a", tmp_path / "b"], 1 << 30, 10)
    place.prepare()

    assert place.write("x.flight", put) == tmp_path / "a" / "x.flight"
    assert place.problem == ""
    assert warnings_in(caplog) == []


def test_the_next_one_is_used_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It says which, instead of which, why, and what to do."""
    (tmp_path / "a").write_text("a file")
    place = SpoolPlace([tmp_path / "a" / "spool", tmp_path / "b"], 1 << 30, 10)
    place.prepare()
    place.prepare()
    place.write("x.flight", put)

    assert place.directory.path == tmp_path / "b"
    assert place.problem == (
        f"keeps incidents in {tmp_path}/b instead of {tmp_path}/a/spool: Not a directory"
    )
    (warning,) = warnings_in(caplog)
    assert place.problem in warning
    assert "set OTEL_FLIGHT_SPOOL_DIRECTORY to a directory that this user can write to" in warning


@pytest.mark.parametrize("kind", ["link", "open to all", "someone else's"])
def test_a_directory_that_is_not_safe_is_not_used(tmp_path: Path, kind: str) -> None:
    """Others could replace what is in it, or lead us elsewhere."""
    planted = tmp_path / "planted"
    if kind == "link":
        (tmp_path / "real").mkdir(mode=0o700)
        planted.symlink_to(tmp_path / "real")
    elif kind == "open to all":
        planted.mkdir()
        planted.chmod(0o777)
    elif os.geteuid() == 0:
        planted.mkdir(mode=0o700)
        os.chown(planted, 12345, 12345)
    else:
        pytest.skip("only root can give a directory away")
    place = SpoolPlace([planted, tmp_path / "ours"], 1 << 30, 10)

    assert place.write("x.flight", put).parent == tmp_path / "ours"
    assert list(planted.iterdir()) == []


@is_root
def test_our_part_of_the_temporary_directory_has_to_be_ours(temporary: Path) -> None:
    """Whoever made the directory above it could replace it at any time."""
    (temporary / own_name()).mkdir(mode=0o755)
    os.chown(temporary / own_name(), 12345, 12345)
    place = SpoolPlace([temporary / own_name() / "spool"], 1 << 30, 10)

    with pytest.raises(SpoolUnavailable, match="belongs to user 12345"):
        place.write("x.flight", put)


def test_nothing_but_memory_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At the start, with why each of them was refused; and again when it is over."""
    (tmp_path / "a").write_text("a file")
    clock = FakeClock()
    place = SpoolPlace([tmp_path / "a" / "b", tmp_path / "a" / "c"], 1 << 30, 10, clock)
    place.prepare()
    for _ in range(5):
        clock.advance(120)
        with pytest.raises(SpoolUnavailable):
            place.write("x.flight", put)

    (warning,) = warnings_in(caplog)
    assert f"cannot write incidents to {tmp_path}/a/b: Not a directory" in warning
    assert f"{tmp_path}/a/c: Not a directory" in warning
    assert "At most 2 are kept in memory" in warning
    assert place.problem in warning

    (tmp_path / "a").unlink()
    clock.advance(120)
    with caplog.at_level(logging.INFO):
        place.write("x.flight", put)
    assert place.problem == ""
    assert "again, after 6 failed attempts" in caplog.messages[-1]


def test_a_directory_that_can_be_used_no_more_is_left_for_the_next_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As by a program that records as root, and then becomes another user."""
    clock = FakeClock()
    first, second = tmp_path / "first", tmp_path / "second"
    place = SpoolPlace([first, second], 1 << 30, 10, clock)
    assert place.write("x.flight", put).parent == first
    first.chmod(0o777)

    with pytest.raises(SpoolUnavailable, match="others may write to it"):
        place.write("y.flight", put)
    clock.advance(120)
    written = [place.write("y.flight", put), place.write("z.flight", put)]

    assert {path.parent for path in written} == {second}
    assert len(warnings_in(caplog)) == 1
    assert str(second) in place.problem


@is_root
def test_a_program_that_becomes_another_user_has_a_directory_of_that_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a server does that root starts: what it could use until then is root's."""
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o777)
        monkeypatch.setattr("tempfile.tempdir", open_to_all)
        clock = FakeClock()
        home = Path(open_to_all) / "home"
        place = SpoolPlace([home, *spool_directories(None)[1:]], 1 << 30, 10, clock)
        place.prepare()
        os.seteuid(12345)
        try:
            with pytest.raises(SpoolUnavailable):
                place.write("x.flight", put)
            clock.advance(120)
            written = place.write("x.flight", put)
        finally:
            os.seteuid(0)

        assert written.parent == Path(open_to_all) / "otel-flight-12345" / "spool"
        assert [path.name for path in home.iterdir()] == []


def test_a_disk_that_is_full_is_not_tried_all_the_time(tmp_path: Path) -> None:
    """The pauses become longer, up to a minute; what comes in between does no work."""
    clock = FakeClock()
    place = SpoolPlace([tmp_path / "a"], 1 << 30, 10, clock)
    place.prepare()
    attempts = []

    def fail(stream: BinaryIO) -> None:
        attempts.append(clock.monotonic_ns())
        raise OSError(28, "No space left on device")

    for _ in range(3600):
        with pytest.raises(OSError, match="No space"):
            place.write("x.flight", fail)
        clock.advance(1)

    assert 60 < len(attempts) < 150
    assert list((tmp_path / "a").iterdir()) == []
