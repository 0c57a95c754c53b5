"""What is there as soon as a run is open, before its first tick."""

from __future__ import annotations

from unittest import mock

from otel_flight import FlightRecorder
from otel_flight.ground.deadline import NOW
from otel_flight.ground.native import Thread
from otel_flight.interpreter.supervisors import Supervisor
from otel_flight.ring import facts
from otel_flight.ring.reader import RingReader
from otel_flight.ring.stacks_file import stacks_path


def test_a_process_that_hangs_before_its_first_tick_leaves_what_tells_why() -> None:
    """The first request may be the one that a server kills: the file for stacks, and by whom."""
    factory = FlightRecorder(window_bytes="512KiB", metrics=False, export="off")._runs.factory
    run = factory.make(lambda: (), lambda: None)
    with mock.patch(
        "otel_flight.running.process_facts.find_supervisor",
        return_value=Supervisor("gunicorn", 30.0),
    ):
        run.open(Thread(lambda: None, "does not tick"))
    try:
        path = run.session.ring_path
        assert path is not None
        assert stacks_path(path).exists()
        with RingReader(path) as reader:
            told = reader.image.header().facts
        assert told[facts.SUPERVISOR] == "gunicorn"
        assert told[facts.SUPERVISOR_LIMIT] == 30
    finally:
        run.finish(NOW)
        run.closing.release_ring(NOW)
    assert not stacks_path(path).exists()
