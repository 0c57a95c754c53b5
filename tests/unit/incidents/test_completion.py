"""What is worked out about a closed incident, beside an application that goes on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

from otel_flight.assembly import ASSEMBLY
from otel_flight.guard import Guard
from otel_flight.incidents.completion import complete
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.window import Window, WindowRecord
from otel_flight.records.records import RuntimeEvent
from tests.support.findings import evidence_of
from tests.support.recording_rig import RecordingRig
from tests.support.rig_incidents import incident_of


class WatchedWindow(Window):
    """Counts the records that are read without letting others run."""

    since_yield = 0
    longest = 0

    def records(self, lane: int) -> Iterator[WindowRecord]:
        """Yield the records of a lane, counted."""
        for item in super().records(lane):
            self.since_yield += 1
            self.longest = max(self.longest, self.since_yield)
            yield item

    def yield_gil(self) -> None:
        """Let others run."""
        self.since_yield = 0


def test_others_can_run_every_few_dozen_records(own_environment: Path) -> None:
    """No pass over the window keeps the interpreter to itself for long."""
    with RecordingRig(own_environment) as rig:
        for number in range(1000):
            rig.tracer.start_span(f"request {number % 7}").end()
        incident = incident_of(rig)
    window = WatchedWindow(incident.window.segments, incident.window.open_spans)
    guard = Guard()

    completed = complete(
        Incident(incident.manifest, window), ASSEMBLY.rulebook, guard, set(), window.yield_gil
    )

    assert guard.errors() == ()
    assert completed.manifest.spans == 1000
    assert 0 < window.longest <= 100


def test_the_evidence_does_not_provoke_a_full_garbage_collection(own_environment: Path) -> None:
    """Thousands of objects that survive for a second make the host collect all of its own."""
    with RecordingRig(own_environment, runtime_bytes="512KiB") as rig:
        for number in range(2000):
            rig.tracer.start_span("request").end()
            rig.session.runtime.record(RuntimeEvent("logs", "log record", number, number))
        incident = incident_of(rig)
    gc.collect()
    before = len(gc.get_objects())

    view = evidence_of(incident)

    assert len(view.roots) == 2000
    assert len(view.events("logs")) == 2000
    assert len(gc.get_objects()) - before < 200
