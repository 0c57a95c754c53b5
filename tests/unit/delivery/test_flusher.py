"""The flusher delivers what is in the spool, and nothing a backend does holds up anything else."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_flight.assembly import Settings
from otel_flight.delivery.backoff import Backoff
from otel_flight.delivery.flusher import Flusher
from otel_flight.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool import Spool, SpoolEntry
from tests.support.recording_rig import RecordingRig
from tests.support.rig_incidents import incident_of

SECONDS = 10.0


class Backend(SpanExporter):
    """An exporter that does what the test says, and remembers what it was given."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []
        self.suppressed: list[bool] = []
        self.is_down = False
        self.refused_name = ""
        self.on_export: Callable[[], None] = lambda: None
        self.shutdowns = 0

    def build(self, settings: Settings, timeout_seconds: float | None) -> SpanExporter:
        """Stand for `build_exporter`."""
        self.timeout_seconds = timeout_seconds
        return self

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take in a chunk."""
        names = [span.name for span in spans]
        self.suppressed.append(bool(otel_context.get_value("suppress_instrumentation")))
        self.on_export()
        if self.is_down or self.refused_name in names:
            return SpanExportResult.FAILURE
        self.names.append(names)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Count it."""
        self.shutdowns += 1


class Station:
    """A spool, a backend and a flusher between them."""

    def __init__(self, rig: RecordingRig, directory: Path, **settings: Any) -> None:
        self.rig = rig
        self.spool = Spool(directory, 1 << 30, 100)
        self.backend = Backend()
        self.guard = Guard()
        self.settings = Settings(**{"endpoint": "http://backend:1", **settings})
        self.flusher = self.make_flusher()

    def make_flusher(self, least_wait_seconds: float = 3600.0) -> Flusher:
        """Return a flusher that waits very long after a failure, unless told otherwise."""
        return Flusher(
            self.spool,
            self.settings,
            self.guard,
            build_exporter=self.backend.build,
            backoff=Backoff(lambda low, high: least_wait_seconds),
        )

    def incident(self, number: int, *names: str) -> Incident:
        """Return an incident of new spans with these names."""
        first = sum(segment.records for segment in self.rig.ring.image.segments(0))
        for name in names:
            self.rig.tracer.start_span(name).end()
        watermark = {"0": first} if names else {"0": 1 << 40}
        return incident_of(
            self.rig, incident_id=f"20260101-10000{number}-aaaaaa", exported_to=watermark
        )

    def add(self, number: int, *names: str) -> SpoolEntry:
        """Put an incident into the spool as earlier processes would, one after the other."""
        entry = Spool(self.spool.directory, 1 << 30, 100).add(self.incident(number, *names))
        os.utime(entry.path, ns=(number * 10**9, number * 10**9))
        return self.spool.find(entry.incident_id)

    def writing(self, incident: Incident) -> Callable[[], None]:
        """Return the job that writes an incident."""

        def write() -> None:
            self.spool.add(incident)

        return write

    def deliver(self) -> None:
        """Look into the spool, and wait until everything that can be done was done."""
        self.flusher.wake()
        assert self.flusher.wait_idle(SECONDS)

    def state(self, entry: SpoolEntry) -> Any:
        """Return how far an incident is."""
        return self.spool.find(entry.incident_id).state

    def roots(self) -> list[str]:
        """Return the names of the application's spans in the order they arrived."""
        return [
            name
            for names in self.backend.names
            for name in names
            if not name.startswith("incident")
        ]


@pytest.fixture
def station(own_environment: Path, tmp_path: Path) -> Iterator[Station]:
    """A spool, a backend and a flusher between them."""
    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool")
        yield station
        assert station.flusher.stop(SECONDS)


def test_an_incident_is_delivered_once(station: Station) -> None:
    """All chunks arrive, the state says so, and a second look sends nothing again."""
    entry = station.add(1, "work")

    station.deliver()
    station.deliver()

    assert station.backend.names == [["incident: snapshot"], ["work"]]
    state = station.state(entry)
    assert (state.delivered, state.chunks, state.attempts, state.resent_chunks) == (True, 2, 1, 0)
    assert state.endpoint == "http://backend:1"
    statistics = station.flusher.statistics()
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
    assert station.flusher.statistics().resent_chunks == 1


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
    statistics = station.flusher.statistics()
    assert statistics.failed_attempts >= 3
    assert statistics.last_error == ""


def test_it_tries_again_by_itself(own_environment: Path, tmp_path: Path) -> None:
    """After a failure it comes back without being woken."""
    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool")
        station.flusher = station.make_flusher(least_wait_seconds=0.01)
        station.add(1, "work")
        station.backend.is_down = True
        again = threading.Event()

        def recover_after_three() -> None:
            if len(station.backend.suppressed) > 3:
                station.backend.is_down = False
                again.set()

        station.backend.on_export = recover_after_three
        station.flusher.start()

        assert again.wait(SECONDS)
        assert station.flusher.wait_idle(SECONDS)
        assert station.flusher.stop(SECONDS)
        assert station.flusher.statistics().delivered_incidents == 1


def test_waits_grow_to_a_minute() -> None:
    """From one second to sixty, from a range that doubles, longer if a receiver asks for it."""
    ranges: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        ranges.append((low, high))
        return high

    backoff = Backoff(uniform)
    waits = [backoff.failed() for _ in range(8)]

    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    assert (ranges[0], ranges[-1]) == ((1, 2), (30, 60))
    assert (backoff.succeeded(), backoff.failed()) == (8, 2)
    assert (backoff.failed(1.0), backoff.failed(90.0)) == (4, 90)


def test_an_exporter_that_raises_is_a_failure(station: Station) -> None:
    """Whatever it raises; the thread goes on."""
    entry = station.add(1, "work")

    def explode() -> None:
        raise ValueError("boom")

    station.backend.on_export = explode
    station.deliver()

    assert station.state(entry).last_error == "ValueError: boom"
    assert station.flusher.statistics().failed_attempts == 1
    assert station.flusher.wait_idle(SECONDS)


def test_an_exporter_that_cannot_be_made_is_a_failure(station: Station) -> None:
    """As with a bad value in a variable that only the exporter reads."""
    station.add(1, "work")

    def refuse(settings: Settings, timeout_seconds: float | None) -> SpanExporter:
        raise ValueError("no such compression")

    station.flusher = Flusher(station.spool, station.settings, station.guard, build_exporter=refuse)
    station.deliver()

    assert station.flusher.statistics().last_error == "no such compression"
    assert [error.place for error in station.guard.errors()] == ["deliver"]


def test_jobs_run_in_order_and_failures_are_noted(station: Station) -> None:
    """One job after another; one that fails does not stop the next."""
    done: list[int] = []

    def fail() -> None:
        raise KeyError("job")

    for number in range(3):
        station.flusher.submit(lambda number=number: done.append(number))  # type: ignore[misc]
        station.flusher.submit(fail)
    assert station.flusher.wait_idle(SECONDS)

    assert done == [0, 1, 2]
    assert station.guard.errors()[0].count == 3


def test_jobs_run_between_chunks(station: Station) -> None:
    """A job does not wait until a long delivery is over."""
    station.add(1, *[f"span {number}" for number in range(400)])
    at: list[int] = []

    def submit_once() -> None:
        if len(station.backend.names) == 1:
            station.flusher.submit(lambda: at.append(len(station.backend.names)))

    station.backend.on_export = submit_once
    station.deliver()

    assert at == [2]


def test_a_job_does_not_wait_for_a_hanging_backend(station: Station) -> None:
    """Another thread stands in while the flusher's is held up in an exporter."""
    station.add(1, "work")
    hangs, released = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert released.wait(SECONDS)

    station.backend.on_export = hang
    station.flusher.start()
    assert hangs.wait(SECONDS)
    thread_names: list[str] = []
    done = threading.Event()

    def job() -> None:
        thread_names.append(threading.current_thread().name)
        done.set()

    station.flusher.submit(job)

    assert done.wait(SECONDS)
    assert thread_names == ["otel-flight-flusher-stand-in"]
    released.set()
    assert station.flusher.wait_idle(SECONDS)


def test_an_incident_that_a_job_writes_is_delivered(station: Station) -> None:
    """Nobody has to wake the flusher for it."""
    incident = station.incident(1, "work")

    station.flusher.submit(station.writing(incident))
    assert station.flusher.wait_idle(SECONDS)

    assert station.roots() == ["work"]


def test_stopping_delivers_what_this_process_made(station: Station) -> None:
    """Older incidents can wait for the next process; the new one must not."""
    incident = station.incident(2, "new")
    station.add(1, "old")

    station.flusher.submit(station.writing(incident))
    station.flusher.stop(SECONDS)

    assert "new" in station.roots()
    assert station.flusher.stop(SECONDS)


def test_stopping_ends_a_backlog_between_two_chunks(station: Station) -> None:
    """What an earlier process left is broken off, and resumed later without a resend."""
    entry = station.add(1, *[f"span {number}" for number in range(400)])
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert go_on.wait(SECONDS)

    station.backend.on_export = slow
    station.flusher.start()
    assert begun.wait(SECONDS)
    stopper = threading.Thread(target=station.flusher.stop, args=(SECONDS,))
    stopper.start()
    while not station.flusher._is_stopping:
        threading.Event().wait(0.001)
    go_on.set()
    stopper.join(SECONDS)

    state = station.state(entry)
    assert (state.delivered, state.chunks, state.attempts) == (False, 1, 0)


def test_a_hanging_exporter_does_not_hold_up_the_stop(station: Station) -> None:
    """It is shut down, which ends the call; jobs that wait are run; the incident stays."""
    entry = station.add(1, "work")
    hangs, released = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert released.wait(SECONDS)
        station.backend.is_down = True

    station.backend.on_export = hang
    station.backend.shutdown = released.set  # type: ignore[method-assign]
    station.flusher.start()
    assert hangs.wait(SECONDS)
    done = threading.Event()
    station.flusher.submit(done.set)

    assert station.flusher.stop(0.5)

    assert done.is_set()
    assert not station.state(entry).delivered


def test_an_exporter_that_ignores_everything_is_left_alone(station: Station) -> None:
    """The stop returns in time, and says that the thread has not ended."""
    station.add(1, "work")
    hangs, released = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert released.wait(SECONDS)

    station.backend.on_export = hang
    station.backend.shutdown = hang  # type: ignore[method-assign]
    station.flusher.start()
    assert hangs.wait(SECONDS)

    assert not station.flusher.stop(0.2)

    released.set()
    assert station.flusher.stop(SECONDS)


def test_stopping_does_not_try_what_just_failed(station: Station) -> None:
    """While the backend is down, the process ends at once."""
    station.add(1, "work")
    station.backend.is_down = True
    station.deliver()
    attempts = len(station.backend.suppressed)
    incident = station.incident(2, "new")

    station.flusher.submit(station.writing(incident))
    station.flusher.stop(SECONDS)

    # At most the one attempt that the new incident itself gave rise to.
    assert len(station.backend.suppressed) <= attempts + 1


def test_a_file_time_that_lags_behind_does_not_hold_back_our_incident(station: Station) -> None:
    """A file's time is that of the last kernel tick, up to 10 ms before the clock reads it."""
    incident = station.incident(1, "work")

    def write() -> None:
        entry = station.spool.add(incident)
        os.utime(entry.path, ns=(0, 0))

    station.flusher.submit(write)
    assert station.flusher.stop(SECONDS)

    assert station.roots() == ["work"]


def test_a_job_after_the_stop_runs_where_it_is_submitted(station: Station) -> None:
    """A late incident is written all the same."""
    station.flusher.stop(SECONDS)
    done: list[str] = []

    station.flusher.submit(lambda: done.append(threading.current_thread().name))

    assert done == [threading.current_thread().name]


def test_stop_works_without_a_thread(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the interpreter goes down no thread can be started: the stop does the work itself."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    incident = station.incident(1, "work")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        station.flusher.submit(station.writing(incident))
        assert station.flusher.stop(SECONDS)

    assert station.roots() == ["work"]
    assert station.backend.timeout_seconds is not None
    assert station.backend.timeout_seconds <= SECONDS


def test_an_idle_flusher_has_no_thread(station: Station) -> None:
    """It starts with the first thing there is to do."""
    assert station.flusher._thread is None
    assert station.flusher.stop(0)


def test_off_leaves_everything_where_it_is(own_environment: Path, tmp_path: Path) -> None:
    """export=off sends nothing and writes nothing; the incident counts as pending."""
    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool", export="off")
        entry = station.add(1, "work")

        station.deliver()

        assert station.backend.names == []
        assert not station.state(entry).delivered
        assert station.flusher.statistics().pending_incidents == 1
        assert station.flusher.stop(SECONDS)


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
    """It does not hold up the others, and is not tried again by this process."""
    broken = station.add(2, "broken")
    broken.path.write_bytes(b"PK no zip")
    station.add(1, "fine")

    for _ in range(3):
        station.deliver()

    assert station.roots() == ["fine"]
    assert sum("cannot deliver an incident" in record.message for record in caplog.records) == 1


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
        assert station.flusher.stop(SECONDS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_inherited_flusher_does_nothing(station: Station) -> None:
    """A forked child can call anything on its parent's flusher; nothing blocks or is run."""
    station.add(1, "work")
    station.deliver()
    done: list[int] = []
    with station.flusher._changed:  # held by a thread that the child does not have
        child = os.fork()
        if child == 0:
            station.flusher.submit(lambda: done.append(1))
            station.flusher.wake()
            os._exit(0 if station.flusher.stop(5) and not done else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
