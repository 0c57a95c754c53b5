"""Each incident that was kept is told once, and until it was taken."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.assembly import Settings
from otel_flight.ground.backoff import Backoff
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.incidents.spool.spool import Spool
from otel_flight.incidents.window import Window
from otel_flight.notification.notifier import OLDEST_SECONDS, Notifier
from otel_flight.testing import FakeClock
from tests.support.receivers.notified_server import NotifiedServer


@pytest.fixture
def server() -> Iterator[NotifiedServer]:
    """A server that is told."""
    with NotifiedServer().running() as running:
        yield running


class Process:
    """A process that keeps incidents, and what is told of them."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.clock = FakeClock()
        self.guard = Guard()
        self.spool = Spool(directory, 1 << 30, 10, clock=self.clock)
        self.notifier = Notifier(
            self.spool,
            Settings(**settings),
            self.guard,
            self.clock,
            Backoff(uniform=lambda least, most: most),
        )

    def keep(self, number: int = 1) -> None:
        """Keep an incident."""
        cause = Cause(trigger="manual", reason="broken", time_ns=self.clock.wall_ns())
        manifest = Manifest(
            incident_id=f"20261129-120000-{number:04d}", service_name="shop", causes=[cause]
        )
        incident = Incident(manifest, Window([]))
        self.notifier.tell(incident, self.spool.add(incident))

    def work(self, seconds_left: float | None = None) -> float | None:
        """Do what the worker does."""
        wait_seconds = self.notifier.deliver_due(lambda: seconds_left)
        assert self.guard.errors() == ()
        return wait_seconds


def left_in(directory: Path) -> list[Path]:
    """Return what is still to be told."""
    return list(directory.glob("*.notify.json"))


def test_the_log_says_it_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At WARNING, with all that is needed to go on."""
    process = Process(tmp_path)
    process.keep()
    process.work()
    process.work()

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("otel_flight", logging.WARNING)
    assert record.getMessage() == (
        "otel-flight kept incident 20261129-120000-0001 of shop: broken. "
        "otel-flight show 20261129-120000-0001"
    )
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(("level", "number"), [("ERROR", logging.ERROR), ("off", None)])
def test_at_another_level_or_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, level: str, number: int | None
) -> None:
    """As the settings say."""
    Process(tmp_path, incident_log_level=level).keep()

    assert [record.levelno for record in caplog.records] == ([number] if number else [])


def test_a_server_is_told_once(tmp_path: Path, server: NotifiedServer) -> None:
    """And not again by whoever comes next."""
    process = Process(tmp_path, notify=f"{server.url}/hook")
    process.keep()

    assert process.work() is None
    assert process.work() is None
    assert Process(tmp_path, notify=server.url).work() is None

    path, body = server.next()
    assert (path, body["title"]) == ("/hook", "broken")
    assert body["file"].startswith(str(tmp_path))
    assert server.received.empty()


def test_what_was_not_taken_is_tried_again(
    tmp_path: Path, server: NotifiedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """After a while, and longer each time; that is said once."""
    server.answers = [500, 503]
    process = Process(tmp_path, notify=f"{server.url}/SECRET", incident_log_level="off")
    process.keep()

    assert process.work() == 2
    assert process.work() == 2
    process.clock.advance(2.1)
    assert process.work() == 4
    process.clock.advance(4.1)
    assert process.work() is None

    assert [server.next()[1]["title"] for _ in range(3)] == ["broken"] * 3
    (record,) = caplog.records
    message = record.getMessage()
    assert f"could not tell {server.url} of incident 20261129-120000-0001" in message
    assert "it answers 500. It is tried again" in message
    assert "SECRET" not in message


def test_another_process_goes_on(tmp_path: Path, server: NotifiedServer) -> None:
    """Where one was killed, or could not wait."""
    server.answers = [500]
    dying = Process(tmp_path, notify=server.url)
    dying.keep(1)
    dying.keep(2)
    dying.work(seconds_left=5)

    Process(tmp_path, notify=server.url).work()

    ids = [server.next()[1]["incident_id"][-1] for _ in range(3)]
    assert ids == ["1", "1", "2"]
    assert left_in(tmp_path) == []


def test_what_will_never_be_taken_is_given_up(
    tmp_path: Path, server: NotifiedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so; the next one is told all the same."""
    server.answers = [404]
    process = Process(tmp_path, notify=server.url, incident_log_level="off")
    process.keep(1)
    process.keep(2)

    assert process.work() is None

    assert [server.next()[1]["incident_id"][-1] for _ in range(2)] == ["1", "2"]
    assert "it answers 404. It is given up" in caplog.text
    assert left_in(tmp_path) == []


def test_what_is_too_old_is_given_up(
    tmp_path: Path, server: NotifiedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody wants to be woken for what was in the morning."""
    server.answers = [500]
    process = Process(tmp_path, notify=server.url, incident_log_level="off")
    process.keep()
    (path,) = left_in(tmp_path)
    before = process.clock.wall_ns() / 1e9 - OLDEST_SECONDS - 1
    os.utime(path, (before, before))

    assert process.work() is None

    assert "It is given up" in caplog.text
    assert left_in(tmp_path) == []


def test_at_the_end_there_may_be_no_time(tmp_path: Path, server: NotifiedServer) -> None:
    """It stays for the next process."""
    process = Process(tmp_path, notify=server.url)
    process.keep()

    assert process.work(seconds_left=0) is None

    assert len(left_in(tmp_path)) == 1
    assert server.received.empty()


def test_a_damaged_file_is_removed(tmp_path: Path, server: NotifiedServer) -> None:
    """It holds up nobody."""
    process = Process(tmp_path, notify=server.url)
    (tmp_path / "x.notify.json").write_bytes(b"{")
    process.keep()

    process.work()

    assert server.next()[1]["title"] == "broken"
    assert left_in(tmp_path) == []


def test_an_incident_in_memory_is_told_as_well(tmp_path: Path, server: NotifiedServer) -> None:
    """Where nothing can be written."""
    (tmp_path / "file").write_text("")
    process = Process(tmp_path / "file", notify=server.url)
    process.keep()
    process.work()

    assert server.next()[1]["file"] == ""
    assert process.work() is None
    assert server.received.empty()


def test_an_evicted_incident_is_not_told(tmp_path: Path, server: NotifiedServer) -> None:
    """Its file goes with it."""
    server.answers = [500]
    process = Process(tmp_path, notify=server.url)
    for number in range(12):
        process.keep(number)

    assert len(left_in(tmp_path)) == 10
