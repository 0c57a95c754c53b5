"""What was learned survives the process, in a file that all may have damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from otel_flight.errors import SpoolUnavailable
from otel_flight.triggers.latency.knowledge import (
    FILE_NAME,
    KEPT_SECONDS,
    MOST_SERVICES,
    read_knowledge,
    write_knowledge,
)
from otel_flight.triggers.latency.learned import MOST_ROUTES
from otel_flight.triggers.latency.sketch import LatencySketch

NOW = 1e9


def sketch(values: int, milliseconds: int = 40, now: float = NOW) -> LatencySketch:
    """Return a sketch of equal durations."""
    made = LatencySketch()
    for _ in range(values):
        made.add(milliseconds * 1_000_000, now)
    return made


def test_it_comes_back(tmp_path: Path) -> None:
    """For each service by itself."""
    write_knowledge(tmp_path, "shop", {"GET /": sketch(30)}, NOW)
    write_knowledge(tmp_path, "bank", {"GET /": sketch(50, 90)}, NOW)

    known = read_knowledge(tmp_path)

    assert set(known) == {"shop", "bank"}
    assert known["shop"].roots == {"GET /": sketch(30)}
    assert known["bank"].roots["GET /"].quantiles_ns([0.5]) == sketch(50, 90).quantiles_ns([0.5])
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_of_two_processes_the_one_that_has_seen_more_counts(tmp_path: Path) -> None:
    """For each name."""
    write_knowledge(tmp_path, "shop", {"GET /a": sketch(100), "GET /b": sketch(30)}, NOW)
    write_knowledge(tmp_path, "shop", {"GET /a": sketch(40, 1), "GET /b": sketch(60, 1)}, NOW)

    roots = read_knowledge(tmp_path)["shop"].roots

    assert (roots["GET /a"].values, roots["GET /b"].values) == (100, 60)


def test_it_stays_bounded(tmp_path: Path) -> None:
    """Names that were not seen for a month go, and of too many the oldest; so do services."""
    names = {f"GET /{number}": sketch(20, now=NOW + number) for number in range(MOST_ROUTES + 9)}
    names["GET /old"] = sketch(20, now=NOW - KEPT_SECONDS - 1)
    for number in range(MOST_SERVICES + 3):
        write_knowledge(tmp_path, f"service {number}", names, NOW + number)

    known = read_knowledge(tmp_path)

    assert len(known) == MOST_SERVICES
    assert "service 0" not in known
    newest = known[f"service {MOST_SERVICES + 2}"].roots
    assert len(newest) == MOST_ROUTES
    assert "GET /old" not in newest
    assert "GET /0" not in newest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"services": {"shop": {"roots": {"GET /": {"weights": {"-1": 1}}}}}}',
        b'{"services": {"shop": {"roots": {"GET /": {"weights": {"1": -1}}}}}}',
        b'{"services": {"shop": {"roots": {"GET /": {"weights": {"1": 1e300}}}}}}',
        b'{"services": {"shop": {"roots": {"GET /": {"values": 1e99}}}}}',
        b'{"services": {"shop": {"roots": {"GET /": {"weight": 0}}}}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_none(tmp_path: Path, content: bytes) -> None:
    """And is replaced by the next process that knows something."""
    (tmp_path / FILE_NAME).write_bytes(content)

    assert read_knowledge(tmp_path) == {}
    write_knowledge(tmp_path, "shop", {"GET /": sketch(30)}, NOW)
    assert set(read_knowledge(tmp_path)) == {"shop"}


def test_what_a_newer_release_adds_is_passed_over(tmp_path: Path) -> None:
    """The format only ever grows."""
    roots = {"GET /": {"values": 20, "seen_at": NOW, "weights": {"100": 20}, "new": 1}}
    content = {"services": {"shop": {"written_at": NOW, "roots": roots}}, "more": []}
    (tmp_path / FILE_NAME).write_text(json.dumps(content))

    assert read_knowledge(tmp_path)["shop"].roots["GET /"].values == 20


def test_links_and_pipes_are_no_files(tmp_path: Path) -> None:
    """Nobody makes us read, or wait for, another file."""
    other = tmp_path / "other"
    other.mkdir()
    write_knowledge(other, "shop", {"GET /": sketch(30)}, NOW)
    (tmp_path / FILE_NAME).symlink_to(other / FILE_NAME)
    assert read_knowledge(tmp_path) == {}

    (tmp_path / FILE_NAME).unlink()
    os.mkfifo(tmp_path / FILE_NAME)
    assert read_knowledge(tmp_path) == {}


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """It raises what the spool raises."""
    (tmp_path / "file").write_text("")

    with pytest.raises(SpoolUnavailable):
        write_knowledge(tmp_path / "file", "shop", {"GET /": sketch(30)}, NOW)
