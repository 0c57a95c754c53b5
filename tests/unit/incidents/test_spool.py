"""The bounded directory of incidents."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from otel_flight.errors import AmbiguousIncident, IncidentNotFound
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool import DeliveryState, Spool, default_spool_directory
from tests.support.incident_builder import IncidentBuilder

MakeIncident = Callable[[str], Incident]


@pytest.fixture
def make(own_environment: Path) -> MakeIncident:
    """Return a maker of incidents with a given id."""
    with IncidentBuilder(own_environment) as builder:
        root = builder.request("GET /a", 0, 2000)
        incident = builder.incident(builder.slow(root, 2000), closed_ms=2100)

    def with_id(incident_id: str) -> Incident:
        manifest = msgspec.structs.replace(incident.manifest, incident_id=incident_id)
        return Incident(manifest, incident.window)

    return with_id


def ids(spool: Spool) -> list[str]:
    """Return the ids in the spool."""
    return [entry.incident_id for entry in spool.entries()]


def test_incidents_are_listed_oldest_first(tmp_path: Path, make: MakeIncident) -> None:
    """The order is that of the ids, which begin with the time."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    for number in (2, 1, 3):
        spool.add(make(f"20260101-00000{number}-aaaaaa"))

    assert ids(spool) == [f"20260101-00000{number}-aaaaaa" for number in (1, 2, 3)]


def test_an_empty_or_missing_spool_has_no_entries(tmp_path: Path) -> None:
    """Looking into a spool that no process has made yet is not an error."""
    assert Spool(tmp_path / "never made", 1 << 30, 10).entries() == []


def test_a_spool_knows_what_it_added_itself(tmp_path: Path, make: MakeIncident) -> None:
    """What an earlier or a sibling process wrote into the directory is not its own."""
    directory = tmp_path / "spool"
    ours, theirs = Spool(directory, 1 << 30, 10), Spool(directory, 1 << 30, 10)
    entry = ours.add(make("20260101-000001-aaaaaa"))

    assert ours.has_added(entry)
    assert not theirs.has_added(entry)


def test_only_we_may_look_into_it(tmp_path: Path, make: MakeIncident) -> None:
    """Spans hold what users sent: directory and files are for our own user only."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    entry = spool.add(make("20260101-000001-aaaaaa"))

    assert spool.directory.stat().st_mode & 0o077 == 0
    assert entry.path.stat().st_mode & 0o077 == 0


def test_the_count_is_bounded(tmp_path: Path, make: MakeIncident) -> None:
    """The oldest goes when there are too many, and is counted as lost."""
    spool = Spool(tmp_path / "spool", 1 << 30, 2)
    for number in (1, 2, 3):
        spool.add(make(f"20260101-00000{number}-aaaaaa"))

    assert ids(spool) == ["20260101-000002-aaaaaa", "20260101-000003-aaaaaa"]
    assert (spool.evicted_delivered, spool.evicted_undelivered) == (0, 1)


def test_bytes_are_bounded_and_the_newest_always_stays(tmp_path: Path, make: MakeIncident) -> None:
    """An incident larger than the whole bound is kept, alone."""
    spool = Spool(tmp_path / "spool", 10, 100)
    spool.add(make("20260101-000001-aaaaaa"))
    spool.add(make("20260101-000002-aaaaaa"))

    assert ids(spool) == ["20260101-000002-aaaaaa"]


def test_delivered_incidents_go_first(tmp_path: Path, make: MakeIncident) -> None:
    """An old incident that nobody has yet outlives a newer one that was delivered."""
    spool = Spool(tmp_path / "spool", 1 << 30, 2)
    spool.add(make("20260101-000001-aaaaaa"))
    newer = spool.add(make("20260101-000002-aaaaaa"))
    spool.save_state(newer, DeliveryState(delivered=True))
    spool.json_path(newer).write_text("{}")
    spool.add(make("20260101-000003-aaaaaa"))

    assert ids(spool) == ["20260101-000001-aaaaaa", "20260101-000003-aaaaaa"]
    assert spool.evicted_delivered == 1
    assert not spool.json_path(newer).exists()


def test_a_state_survives_and_a_broken_one_means_deliver_again(
    tmp_path: Path, make: MakeIncident
) -> None:
    """Progress is read back; a file nobody can read costs a second delivery, never the incident."""
    spool = Spool(tmp_path / "spool", 1 << 30, 2)
    entry = spool.add(make("20260101-000001-aaaaaa"))
    spool.save_state(entry, DeliveryState(chunks=3, attempts=2))

    assert spool.entries()[0].state == DeliveryState(chunks=3, attempts=2)

    entry.path.with_suffix(".state").write_bytes(b"{broken")

    assert spool.entries()[0].state == DeliveryState()


def test_log_records_have_a_state_of_their_own(tmp_path: Path, make: MakeIncident) -> None:
    """Beside that of the spans, of the same incident; both go when it is evicted."""
    spool = Spool(tmp_path / "spool", 1 << 30, 1)
    entry = spool.add(make("20260101-000001-aaaaaa"))
    logs = spool.of_logs()

    spool.save_state(entry, DeliveryState(chunks=3))
    logs.save_state(entry, DeliveryState(delivered=True))

    assert spool.find(entry.incident_id).state == DeliveryState(chunks=3)
    assert logs.find(entry.incident_id).state == DeliveryState(delivered=True)
    assert logs.has_added(entry)

    newer = spool.add(make("20260101-000002-bbbbbb"))

    assert sorted(spool.directory.iterdir()) == [newer.path]


def test_an_id_or_its_beginning_finds_an_incident(tmp_path: Path, make: MakeIncident) -> None:
    """People type as little as they must; two that match are both named."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    spool.add(make("20260101-000001-aaaaaa"))
    spool.add(make("20260101-000002-bbbbbb"))

    assert spool.find("20260101-000002").incident_id == "20260101-000002-bbbbbb"
    with pytest.raises(AmbiguousIncident, match="aaaaaa"):
        spool.find("20260101")
    with pytest.raises(IncidentNotFound, match="2027"):
        spool.find("2027")


def test_one_deliverer_at_a_time(tmp_path: Path, make: MakeIncident) -> None:
    """While one holds an incident another is told so, and does not wait."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    entry = spool.add(make("20260101-000001-aaaaaa"))

    with spool.claim(entry) as first, spool.claim(entry) as second:
        assert (first, second) == (True, False)
    with spool.claim(entry) as again:
        assert again


def test_an_evicted_incident_cannot_be_claimed(tmp_path: Path, make: MakeIncident) -> None:
    """Another process may have made room meanwhile."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    entry = spool.add(make("20260101-000001-aaaaaa"))
    entry.path.unlink()

    with spool.claim(entry) as claimed:
        assert not claimed


def test_what_a_killed_writer_left_is_removed_later(tmp_path: Path, make: MakeIncident) -> None:
    """A part file an hour older than the newest incident is nobody's any more."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    spool.add(make("20260101-000001-aaaaaa"))
    part = spool.directory / ".x.part"
    part.touch()
    os.utime(part, (0, 0))
    spool.add(make("20260101-000002-aaaaaa"))

    assert not part.exists()


def test_a_service_name_cannot_leave_the_directory(tmp_path: Path, make: MakeIncident) -> None:
    """The name stands in the file's name, whatever it contains."""
    incident = make("20260101-000001-aaaaaa")
    manifest = msgspec.structs.replace(incident.manifest, service_name="../../etc/x y" + "z" * 500)
    spool = Spool(tmp_path / "spool", 1 << 30, 10)

    entry = spool.add(Incident(manifest, incident.window))

    assert entry.path.parent == spool.directory
    assert entry.incident_id == "20260101-000001-aaaaaa"


def test_the_default_directory_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State belongs into XDG_STATE_HOME; without a home there is still a place."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_spool_directory() == tmp_path / "otel-flight" / "spool"

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_spool_directory() == Path("/home/someone/.local/state/otel-flight/spool")
