"""The bounded directory of incidents."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from otel_flight.errors import AmbiguousIncident, IncidentNotFound
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import LOGS_STATE_SUFFIX, PROFILES_STATE_SUFFIX
from otel_flight.incidents.spool.spool import Spool
from otel_flight.testing import FakeClock
from tests.support.incidents.incident_builder import IncidentBuilder

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
    logs = spool.of(LOGS_STATE_SUFFIX)

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


def test_a_planted_link_is_not_written_through(tmp_path: Path, make: MakeIncident) -> None:
    """Whoever can guess a name cannot make us empty another file of ours."""
    victim = tmp_path / "key"
    victim.write_text("secret")
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    entry = spool.add(make("20260101-000001-aaaaaa"))
    for name in (
        f".{entry.path.stem}.state.{os.getpid()}.part",
        f".{entry.path.stem}.otlp.json.{os.getpid()}.part",
        f"{entry.path.stem}.state",
    ):
        (spool.directory / name).symlink_to(victim)

    spool.save_state(entry, DeliveryState(chunks=1))

    assert victim.read_text() == "secret"
    assert not (spool.directory / f"{entry.path.stem}.state").is_symlink()
    assert spool.find(entry.incident_id).state.chunks == 1


def test_files_are_closed_to_others_whatever_the_umask(tmp_path: Path, make: MakeIncident) -> None:
    """Some daemons have none."""
    before = os.umask(0)
    try:
        spool = Spool(tmp_path / "state" / "spool", 1 << 30, 10)
        entry = spool.add(make("20260101-000001-aaaaaa"))
        spool.save_state(entry, DeliveryState(chunks=1))
        spool.of(LOGS_STATE_SUFFIX).save_state(entry, DeliveryState(chunks=1))
    finally:
        os.umask(before)

    made = [tmp_path / "state", spool.directory, *spool.directory.iterdir()]
    assert len(made) == 5
    assert {path.name for path in made if path.stat().st_mode & 0o077} == set()


def test_a_directory_that_became_unsafe_gets_no_more_incidents(
    tmp_path: Path, make: MakeIncident
) -> None:
    """It is looked at before each of them."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    spool.add(make("20260101-000001-aaaaaa"))
    spool.directory.rename(tmp_path / "elsewhere")
    spool.directory.symlink_to(tmp_path / "elsewhere")

    entry = spool.add(make("20260101-000002-aaaaaa"))

    assert entry.is_in_memory
    assert len(list((tmp_path / "elsewhere").glob("*.flight"))) == 1


def test_siblings_make_room_at_the_same_moment(tmp_path: Path, make: MakeIncident) -> None:
    """What was written counts as written, and they do not evict each other's down to nothing."""
    directory, rounds, failures = tmp_path / "spool", 40, []

    def add(name: str) -> None:
        spool = Spool(directory, 1 << 30, 2)
        for number in range(rounds):
            try:
                spool.add(make(f"20260101-{number:06}-{name}"))
            except Exception as error:  # noqa: BLE001
                failures.append(error)

    siblings = [threading.Thread(target=add, args=(name,)) for name in ("aaaaaa", "bbbbbb")]
    for sibling in siblings:
        sibling.start()
    for sibling in siblings:
        sibling.join()

    assert failures == []
    assert len(Spool(directory, 1 << 30, 2).entries()) == 2


def test_what_cannot_be_written_is_in_memory(tmp_path: Path, make: MakeIncident) -> None:
    """It has an entry, a state, and can be read and claimed; the third one is one too many."""
    (tmp_path / "spool").write_text("not a directory")
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    entry = spool.add(make("20260101-000001-aaaaaa"))
    spool.add(make("20260101-000002-aaaaaa"))

    assert entry.is_in_memory
    assert spool.has_added(entry)
    assert spool.in_memory == 2
    assert ids(spool) == ["20260101-000001-aaaaaa", "20260101-000002-aaaaaa"]
    assert spool.read(entry).manifest.incident_id == entry.incident_id
    with spool.claim(entry) as is_ours:
        assert is_ours
    spool.save_state(entry, DeliveryState(chunks=2))
    assert spool.find(entry.incident_id).state.chunks == 2
    with pytest.raises(OSError, match="Not a directory"):
        spool.add(make("20260101-000003-aaaaaa"))


def test_a_delivered_incident_leaves_the_memory(tmp_path: Path, make: MakeIncident) -> None:
    """Once its spans, log records and profiles are where they go, or go nowhere."""
    (tmp_path / "spool").write_text("not a directory")
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    logs = spool.of(LOGS_STATE_SUFFIX)
    entry = spool.add(make("20260101-000001-aaaaaa"))

    spool.save_state(entry, DeliveryState(delivered=True))
    assert logs.find(entry.incident_id).state == DeliveryState()
    logs.settle_in_memory()
    assert spool.in_memory == 1
    spool.of(PROFILES_STATE_SUFFIX).settle_in_memory()

    assert spool.in_memory == 0
    assert spool.entries() == logs.entries() == []


def test_memory_is_written_when_that_is_possible_again(tmp_path: Path, make: MakeIncident) -> None:
    """With how far its delivery is; it is tried after a while, and at the end in any case."""
    clock = FakeClock()
    (tmp_path / "spool").write_text("not a directory")
    spool = Spool(tmp_path / "spool", 1 << 30, 10, clock=clock)
    spool.add(make("20260101-000001-aaaaaa"))
    spool.save_state(spool.entries()[0], DeliveryState(chunks=3))
    first_wait = spool.rescue()
    assert first_wait is not None
    clock.advance(first_wait)
    second_wait = spool.rescue()
    assert second_wait is not None

    (tmp_path / "spool").unlink()
    assert spool.rescue() == second_wait  # not yet
    assert spool.rescue(is_last=True) is None

    (entry,) = Spool(tmp_path / "spool", 1 << 30, 10).entries()
    assert entry.state.chunks == 3
    assert spool.in_memory == 0
    assert spool.problem == ""


def test_progress_that_cannot_be_noted_is_remembered(tmp_path: Path, make: MakeIncident) -> None:
    """A disk that is full by now does not hold up a delivery."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    entry = spool.add(make("20260101-000001-aaaaaa"))
    state_path = entry.path.with_suffix(".state")
    state_path.mkdir()

    spool.save_state(entry, DeliveryState(chunks=3))

    assert spool.find(entry.incident_id).state.chunks == 3
    assert spool.of(LOGS_STATE_SUFFIX).find(entry.incident_id).state.chunks == 0
    state_path.rmdir()
    spool.save_state(entry, DeliveryState(chunks=4))
    assert Spool(tmp_path / "spool", 1 << 30, 10).entries()[0].state.chunks == 4


def test_a_damaged_incident_is_set_aside(tmp_path: Path, make: MakeIncident) -> None:
    """It is still found by its id, is not offered for delivery, and goes first."""
    spool = Spool(tmp_path / "spool", 1 << 30, 2)
    spool.add(make("20260101-000001-aaaaaa"))
    damaged = spool.add(make("20260101-000002-bbbbbb"))

    path = spool.set_aside(damaged)

    assert ids(spool) == ["20260101-000001-aaaaaa"]
    assert [each.is_damaged for each in spool.entries(with_damaged=True)] == [False, True]
    assert spool.find("20260101-000002").path == path
    spool.add(make("20260101-000003-aaaaaa"))
    assert ids(spool) == ["20260101-000001-aaaaaa", "20260101-000003-aaaaaa"]
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{broken",
        b"[1]",
        b"{}" * 100_000,
        b"[" * 60_000,
        b'{"chunks": -1}',
        b'{"chunks": 99999999999999999999999}',
        b'{"delivered": 1}',
        b'{"last_error": "\xff"}',
        b'{"other": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=lambda content: content[:12],
)
def test_a_state_that_cannot_be_read_says_that_nothing_was_delivered(
    tmp_path: Path, make: MakeIncident, content: bytes
) -> None:
    """Whatever is in the file."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    entry = spool.add(make("20260101-000001-aaaaaa"))
    entry.path.with_suffix(".state").write_bytes(content)

    assert spool.entries()[0].state == DeliveryState()
