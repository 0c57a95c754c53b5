"""What is in the spool is delivered, and an incident that fails holds up no other."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from opentelemetry.sdk.trace.export import SpanExporter

from otel_flight.ground.deadline import Deadline
from otel_flight.settings.fields import CoreSettings
from tests.support.incidents.rig_incidents import incident_of
from tests.support.rigs.deliverer import Deliverer
from tests.support.rigs.delivery_station import SECONDS, Backend, Station
from tests.support.rigs.recording_rig import RecordingRig


@pytest.fixture
def station(own_environment: Path, tmp_path: Path) -> Iterator[Station]:
    """A spool, a backend, and what delivers from the one to the other."""
    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool")
        yield station
        assert station.worker.stop(Deadline.after(SECONDS))


def test_an_incident_is_delivered_once(station: Station) -> None:
    """All chunks arrive, the state says so, and a second look sends nothing again."""
    entry = station.add(1, "work")

    station.deliver()
    station.deliver()

    assert station.backend.names == [["incident: snapshot"], ["work"]]
    state = station.state(entry)
    assert (state.delivered, state.chunks, state.attempts, state.resent_chunks) == (True, 2, 1, 0)
    assert state.endpoint == "http://backend:1"
    statistics = station.delivery.statistics
    assert (statistics.delivered_incidents, statistics.delivered_spans) == (1, 2)
    assert (statistics.pending_incidents, statistics.last_error) == (0, "")
    assert station.guard.errors() == ()


def test_our_own_requests_are_not_recorded(station: Station) -> None:
    """Instrumentation is suppressed while exporting."""
    station.add(1, "work")

    station.deliver()

    assert station.backend.suppressed == [True, True]


def test_an_exporter_exists_only_during_delivery(station: Station) -> None:
    """No connection lingers that a fork would inherit."""
    station.add(1, "work")

    station.deliver()

    assert station.backend.shutdowns == 1


def test_an_exporter_of_the_program_is_used_whatever_the_settings_say(
    own_environment: Path, tmp_path: Path
) -> None:
    """It belongs to the program: it is used again and again, and nobody shuts it down."""
    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool", export="off", endpoint=None)
        deliverer = Deliverer(
            station.spool, station.settings, station.guard, exporter=station.backend
        )
        for number in (1, 2):
            entry = station.add(number, "work")
            deliverer.worker.wake()
            assert deliverer.worker.wait_idle(Deadline.after(SECONDS))
        assert deliverer.worker.stop(Deadline.after(SECONDS))

    assert station.roots() == ["work", "work"]
    assert station.backend.shutdowns == 0
    assert station.state(entry).endpoint == "Backend"
    assert deliverer.spans.statistics.delivered_incidents == 2


def test_an_exporter_of_the_program_that_hangs_is_shut_down_at_the_end(
    own_environment: Path, tmp_path: Path
) -> None:
    """The stop waits no longer than it may, and the shutdown lets the export return."""
    hanging, shut_down = threading.Event(), threading.Event()

    class Hanging(Backend):
        def shutdown(self) -> None:
            shut_down.set()

    def hang() -> None:
        hanging.set()
        assert shut_down.wait(SECONDS)

    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool")
        exporter = Hanging()
        exporter.on_export = hang
        deliverer = Deliverer(station.spool, station.settings, station.guard, exporter=exporter)
        station.add(1, "work")
        deliverer.worker.wake()
        assert hanging.wait(SECONDS)

        assert deliverer.worker.stop(Deadline.after(1.0))

    assert shut_down.is_set()


def test_the_newest_incident_goes_first(station: Station) -> None:
    """That is the one someone is waiting for."""
    for number, name in ((1, "old"), (2, "middle"), (3, "new")):
        station.add(number, name)

    station.deliver()

    assert station.roots() == ["new", "middle", "old"]


def test_a_refused_incident_does_not_hold_up_the_others(station: Station) -> None:
    """It is tried again when nothing that was tried less often is left."""
    station.add(1, "fine")
    poison = station.add(2, "poison")
    station.backend.refused_name = "poison"

    for _ in range(3):
        station.deliver()

    assert station.roots() == ["fine"]
    assert station.state(poison).attempts >= 2
    assert not station.state(poison).delivered
    assert "without a reason" in station.state(poison).last_error


def test_a_resumed_delivery_repeats_one_chunk_at_most(station: Station) -> None:
    """The chunk whose answer was not noted is sent again, and counted; the others are not."""
    entry = station.add(1, *[f"span {number}" for number in range(1000)])
    station.backend.on_export = lambda: setattr(
        station.backend, "is_down", len(station.backend.names) == 2
    )
    station.deliver()
    delivered_first = [len(names) for names in station.backend.names]
    between = station.state(entry)

    station.backend.on_export = lambda: None
    station.backend.is_down = False
    station.deliver()

    assert delivered_first == [1, 512]
    assert (between.chunks, between.delivered) == (2, False)
    names = [name for chunk in station.backend.names for name in chunk]
    assert len(names) == len(set(names)) == 1001
    assert station.state(entry).resent_chunks == 1
    assert station.delivery.statistics.resent_chunks == 1


def test_another_backend_gets_everything(station: Station) -> None:
    """Progress counts for the endpoint it was made with."""
    entry = station.add(1, "work")
    station.spool.save_state(
        entry, msgspec.structs.replace(entry.state, chunks=1, attempts=4, endpoint="http://other")
    )

    station.deliver()

    assert station.backend.names == [["incident: snapshot"], ["work"]]
    assert station.state(entry).resent_chunks == 0


def test_a_failure_streak_is_said_once(station: Station, caplog: pytest.LogCaptureFixture) -> None:
    """One warning when it begins, one message when it is over."""
    caplog.set_level(logging.INFO, "otel_flight")
    station.add(1, "work")
    station.backend.is_down = True
    for _ in range(3):
        station.deliver()

    station.backend.is_down = False
    station.deliver()

    messages = [record.message for record in caplog.records if record.name == "otel_flight"]
    assert len(messages) == 2
    assert "could not deliver incident 20260101-100001-aaaaaa to http://backend:1" in messages[0]
    assert "delivers to http://backend:1 again" in messages[1]
    statistics = station.delivery.statistics
    assert statistics.failed_attempts >= 3
    assert statistics.last_error == ""


def test_it_tries_again_by_itself(own_environment: Path, tmp_path: Path) -> None:
    """After a failure it comes back without being woken."""
    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool")
        station.use(station.backend.build, least_wait_seconds=0.01)
        station.add(1, "work")
        station.backend.is_down = True
        again = threading.Event()

        def recover_after_three() -> None:
            if len(station.backend.suppressed) > 3:
                station.backend.is_down = False
                again.set()

        station.backend.on_export = recover_after_three
        station.worker.start()

        assert again.wait(SECONDS)
        assert station.worker.wait_idle(Deadline.after(SECONDS))
        assert station.worker.stop(Deadline.after(SECONDS))
        assert station.delivery.statistics.delivered_incidents == 1


def test_an_exporter_that_raises_is_a_failure(station: Station) -> None:
    """Whatever it raises; the thread goes on."""
    entry = station.add(1, "work")

    def explode() -> None:
        raise ValueError("boom")

    station.backend.on_export = explode
    station.deliver()

    assert station.state(entry).last_error == "ValueError: boom"
    assert station.delivery.statistics.failed_attempts == 1
    assert station.worker.wait_idle(Deadline.after(SECONDS))


def test_an_exporter_that_cannot_be_made_is_a_failure(station: Station) -> None:
    """As with a bad value in a variable that only the exporter reads."""
    station.add(1, "work")

    def refuse(settings: CoreSettings, timeout_seconds: float | None) -> SpanExporter:
        raise ValueError("no such compression")

    station.use(refuse)
    station.deliver()

    assert station.delivery.statistics.last_error == "no such compression"
    assert [error.place for error in station.guard.errors()] == ["deliver"]


def test_off_leaves_everything_where_it_is(own_environment: Path, tmp_path: Path) -> None:
    """export=off sends nothing and writes nothing; the incident counts as pending."""
    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool", export="off")
        entry = station.add(1, "work")

        station.deliver()

        assert station.backend.names == []
        assert not station.state(entry).delivered
        assert station.delivery.statistics.pending_incidents == 1
        assert station.worker.stop(Deadline.after(SECONDS))


def test_an_incident_of_another_process_is_left_to_it(station: Station) -> None:
    """A claimed file is not delivered twice at the same time."""
    entry = station.add(1, "work")

    with station.spool.claim(entry) as is_ours:
        assert is_ours
        station.deliver()

    assert station.backend.names == []
    station.deliver()
    assert station.roots() == ["work"]


def test_an_unreadable_file_is_said_once(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not hold up the others, and is set aside: nobody tries it again."""
    broken = station.add(2, "broken")
    broken.path.write_bytes(b"PK no zip")
    station.add(1, "fine")

    for _ in range(3):
        station.deliver()

    assert station.roots() == ["fine"]
    assert sum("cannot deliver an incident" in record.message for record in caplog.records) == 1
    assert [
        entry.incident_id for entry in station.spool.entries(with_damaged=True) if entry.is_damaged
    ] == [broken.incident_id]


@pytest.mark.parametrize(
    ("endpoint", "is_down_at_first", "expected"),
    [
        ("http://backend:1", False, []),
        ("http://backend:1", True, ["work"]),
        ("http://elsewhere:1", False, ["work"]),
        ("", False, ["work"]),
    ],
)
def test_what_the_pipeline_sent_is_left_out(
    station: Station, endpoint: str, is_down_at_first: bool, expected: list[str]
) -> None:
    """There, and unless the backend was down: then the pipeline may have lost it."""
    station.rig.tracer.start_span("work").end()
    station.spool.add(incident_of(station.rig, pipeline_endpoint=endpoint))
    station.backend.is_down = is_down_at_first
    station.deliver()
    station.backend.is_down = False

    station.deliver()

    assert station.roots() == expected


def test_without_the_json_extra_the_file_counts_as_delivered(
    own_environment: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One message says what to install; the incident's own file is complete."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.json.file.trace_exporter", None)
    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool", export="json")
        entries = [station.add(1, "one"), station.add(2, "two")]

        station.deliver()

        assert all(station.state(entry).delivered for entry in entries)
        messages = [record.message for record in caplog.records if record.name == "otel_flight"]
        assert len(messages) == 1
        assert "pip install 'otel-flight[json]'" in messages[0]
        assert not station.spool.json_path(entries[0]).exists()
        assert station.worker.stop(Deadline.after(SECONDS))
