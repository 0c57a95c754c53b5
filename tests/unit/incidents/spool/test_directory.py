"""What becomes too old in a directory of incidents goes; all that belongs to it goes along."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otel_flight.errors import SpoolUnavailable
from otel_flight.incidents.spool.delivery_state import DeliveryState, write_state
from otel_flight.incidents.spool.directory import SpoolDirectory

_OLD = 1_000.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that only we can enter."""
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    return path


def put(directory: Path, name: str, *, is_old: bool) -> Path:
    """Put a file into it."""
    path = directory / name
    path.write_bytes(b"x")
    if is_old:
        os.utime(path, (_OLD, _OLD))
    return path


def remove_older(directory: Path) -> int:
    """Remove what is older than the old ones, and a second."""
    return SpoolDirectory(directory, 0, 0).remove_older(int((_OLD + 1) * 1e9))


def test_old_incidents_go(directory: Path) -> None:
    """With what stands beside them; those that were not delivered are counted."""
    for number in (1, 2):
        put(directory, f"20260101-000000-{number}-shop.v1.flight", is_old=True)
        put(directory, f"20260101-000000-{number}-shop.v1.notify.json", is_old=False)
        put(directory, f"20260101-000000-{number}-shop.v1.otlp.json", is_old=False)
    write_state(directory / "20260101-000000-1-shop.v1.state", DeliveryState(delivered=True))
    put(directory, "20260101-000000-3-shop.damaged", is_old=True)
    new = put(directory, "20260102-000000-4-shop.flight", is_old=False)
    state = put(directory, "20260102-000000-4-shop.logs.state", is_old=True)

    lost = remove_older(directory)

    assert lost == 2
    assert sorted(directory.iterdir()) == [new, state]


def test_what_belongs_to_no_incident_goes(directory: Path) -> None:
    """It is what a process left that was killed; other files are not ours."""
    for name in (".1.part", "20260101-000000-1-shop.state", "20260101-000000-1-shop.otlp.json"):
        put(directory, name, is_old=True)
    kept = [put(directory, "20260101-000000-2-shop.state", is_old=False)]
    kept += [put(directory, "learned-limits.json", is_old=True)]

    assert remove_older(directory) == 0
    assert sorted(directory.iterdir()) == sorted(kept)


def test_a_directory_that_others_may_write_to_is_left_alone(directory: Path) -> None:
    """They may have put links there."""
    path = put(directory, "20260101-000000-1-shop.flight", is_old=True)
    directory.chmod(0o777)

    with pytest.raises(SpoolUnavailable):
        remove_older(directory)
    assert path.exists()
