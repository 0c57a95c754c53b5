"""How a run ends that cannot finish everything in time."""

from __future__ import annotations

import threading
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider

from otel_flight import FlightRecorder, FlightSpanProcessor
from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.deadline import Deadline
from otel_flight.records.decoder import decode_records
from otel_flight.records.incident_records import IncidentOpened
from otel_flight.ring.layout import LANE_RUNTIME
from otel_flight.ring.reader import RingReader


def incidents_in(path: Path) -> set[str]:
    """Return the ids of the incidents that a ring tells of."""
    with RingReader(path) as reader:
        assert not reader.is_owner_alive()
        assert not reader.image.header().is_clean
        return {
            record.incident_id
            for segment in reader.image.segments(LANE_RUNTIME)
            for record in decode_records(segment.payload, segment.records).records
            if isinstance(record, IncidentOpened)
        }


def test_a_tick_that_does_not_end_keeps_its_ring() -> None:
    """Its memory is not taken away under it; the end comes in time, and the ring tells the rest."""
    recorder = FlightRecorder(window_bytes="512KiB", metrics=False, export="off")
    recorder.start()
    run = recorder._runs.current
    assert run is not None
    path = Path(recorder.statistics().ring_path)
    hangs, goes_on = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert goes_on.wait(20)

    run._ticker.after_tick(hang)
    assert hangs.wait(10)
    incident_id = recorder.trigger("late")
    begun_ns = monotonic_ns()
    recorder.stop(0.2)

    assert (monotonic_ns() - begun_ns) / 1e9 < 5
    rings = [run.session.ring]
    goes_on.set()
    assert run._ticker.stop(Deadline.after(10))
    rings.append(run.session.ring)
    assert [ring is None for ring in rings] == [False, True]
    assert incidents_in(path) == {incident_id}


def test_an_incident_that_is_not_written_stays_in_the_ring() -> None:
    """The ring is not removed, and not marked as one whose process has finished everything."""
    recorder = FlightRecorder(window_bytes="512KiB", metrics=False, export="off")
    processor = FlightSpanProcessor(recorder)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    provider.get_tracer("test").start_span("work").end()
    run = recorder._run
    assert run is not None
    path = Path(recorder.statistics().ring_path)
    incident_id = recorder.trigger("late")
    run.incidents._unwritten["another"] = run.incidents._exported

    recorder.stop(5)

    assert incidents_in(path) == {incident_id}
