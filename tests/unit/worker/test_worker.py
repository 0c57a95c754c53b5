"""Nothing a backend does holds up a job, or the end of the process."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.ground.deadline import Deadline
from otel_flight.ground.native import running
from tests.support.rigs.delivery_station import SECONDS, Station
from tests.support.rigs.recording_rig import RecordingRig


@pytest.fixture
def station(own_environment: Path, tmp_path: Path) -> Iterator[Station]:
    """A spool, a backend, and what delivers from the one to the other."""
    with RecordingRig(own_environment) as rig:
        station = Station(rig, tmp_path / "spool")
        yield station
        assert station.worker.stop(Deadline.after(SECONDS))


def test_jobs_run_in_order_and_failures_are_noted(station: Station) -> None:
    """One job after another; one that fails does not stop the next."""
    done: list[int] = []

    def fail() -> None:
        raise KeyError("job")

    for number in range(3):
        station.worker.submit(lambda number=number: done.append(number))  # type: ignore[misc]
        station.worker.submit(fail)
    assert station.worker.wait_idle(Deadline.after(SECONDS))

    assert done == [0, 1, 2]
    assert station.guard.errors()[0].count == 3


def test_jobs_run_between_chunks(station: Station) -> None:
    """A job does not wait until a long delivery is over."""
    station.add(1, *[f"span {number}" for number in range(400)])
    at: list[int] = []

    def submit_once() -> None:
        if len(station.backend.names) == 1:
            station.worker.submit(lambda: at.append(len(station.backend.names)))

    station.backend.on_export = submit_once
    station.deliver()

    assert at == [2]


def test_a_job_does_not_wait_for_a_hanging_backend(station: Station) -> None:
    """Another thread stands in while the worker's is held up in an exporter."""
    station.add(1, "work")
    hangs, released = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert released.wait(SECONDS)

    station.backend.on_export = hang
    station.worker.start()
    assert hangs.wait(SECONDS)
    thread_names: list[str] = []
    done = threading.Event()

    def job() -> None:
        thread_names.extend(each.name for each in running())
        done.set()

    station.worker.submit(job)

    assert done.wait(SECONDS)
    assert "otel-flight-flusher-stand-in" in thread_names
    released.set()
    assert station.worker.wait_idle(Deadline.after(SECONDS))


def test_an_incident_that_a_job_writes_is_delivered(station: Station) -> None:
    """Nobody has to wake the worker for it."""
    incident = station.incident(1, "work")

    station.worker.submit(station.writing(incident))
    assert station.worker.wait_idle(Deadline.after(SECONDS))

    assert station.roots() == ["work"]


def test_stopping_delivers_what_this_process_made(station: Station) -> None:
    """Older incidents can wait for the next process; the new one must not."""
    incident = station.incident(2, "new")
    station.add(1, "old")

    station.worker.submit(station.writing(incident))
    station.worker.stop(Deadline.after(SECONDS))

    assert "new" in station.roots()
    assert station.worker.stop(Deadline.after(SECONDS))


def test_stopping_ends_a_backlog_between_two_chunks(station: Station) -> None:
    """What an earlier process left is broken off, and resumed later without a resend."""
    entry = station.add(1, *[f"span {number}" for number in range(400)])
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert go_on.wait(SECONDS)

    station.backend.on_export = slow
    station.worker.start()
    assert begun.wait(SECONDS)
    stopper = threading.Thread(target=station.worker.stop, args=(Deadline.after(SECONDS),))
    stopper.start()
    while station.worker._stop_at is None:
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
    station.worker.start()
    assert hangs.wait(SECONDS)
    done = threading.Event()
    station.worker.submit(done.set)

    assert station.worker.stop(Deadline.after(3))

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
    station.worker.start()
    assert hangs.wait(SECONDS)

    assert not station.worker.stop(Deadline.after(0.2))

    released.set()
    assert station.worker.stop(Deadline.after(SECONDS))


def test_stopping_does_not_try_what_just_failed(station: Station) -> None:
    """While the backend is down, the process ends at once."""
    station.add(1, "work")
    station.backend.is_down = True
    station.deliver()
    attempts = len(station.backend.suppressed)
    incident = station.incident(2, "new")

    station.worker.submit(station.writing(incident))
    station.worker.stop(Deadline.after(SECONDS))

    # At most the one attempt that the new incident itself gave rise to.
    assert len(station.backend.suppressed) <= attempts + 1


def test_a_file_time_that_lags_behind_does_not_hold_back_our_incident(station: Station) -> None:
    """A file's time is that of the last kernel tick, up to 10 ms before the clock reads it."""
    incident = station.incident(1, "work")

    def write() -> None:
        entry = station.spool.add(incident)
        os.utime(entry.path, ns=(0, 0))

    station.worker.submit(write)
    assert station.worker.stop(Deadline.after(SECONDS))

    assert station.roots() == ["work"]


def test_a_job_after_the_stop_runs_where_it_is_submitted(station: Station) -> None:
    """A late incident is written all the same."""
    station.worker.stop(Deadline.after(SECONDS))
    done: list[str] = []

    station.worker.submit(lambda: done.append(threading.current_thread().name))

    assert done == [threading.current_thread().name]


def test_stop_works_without_a_thread(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the interpreter goes down no thread can be started: the stop does the work itself."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    incident = station.incident(1, "work")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        station.worker.submit(station.writing(incident))
        assert station.worker.stop(Deadline.after(SECONDS))

    assert station.roots() == ["work"]
    assert station.backend.timeout_seconds is not None
    assert station.backend.timeout_seconds <= SECONDS


def test_an_idle_worker_has_no_thread(station: Station) -> None:
    """It starts with the first thing there is to do."""
    assert station.worker._thread is None
    assert station.worker.stop(Deadline.after(0))


def test_a_paused_worker_has_no_thread_and_goes_on(station: Station) -> None:
    """A fork finds no thread of ours where there is nothing to do; jobs are run after it."""
    done: queue.SimpleQueue[str] = queue.SimpleQueue()
    worker = station.worker
    worker.submit(lambda: done.put("before"))
    assert worker.wait_idle(Deadline.after(10))

    worker.pause(10)
    paused = running()
    worker.resume()
    worker.submit(lambda: done.put("after"))

    assert paused == []
    assert [done.get(timeout=10), done.get(timeout=10)] == ["before", "after"]
    assert worker.stop(Deadline.after(10))
    assert running() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_inherited_worker_does_nothing(station: Station) -> None:
    """A forked child can call anything on its parent's worker; nothing blocks or is run."""
    station.add(1, "work")
    station.deliver()
    done: list[int] = []
    with station.worker._changed:  # held by a thread that the child does not have
        child = os.fork()
        if child == 0:
            station.worker.submit(lambda: done.append(1))
            station.worker.wake()
            os._exit(0 if station.worker.stop(Deadline.after(5)) and not done else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
