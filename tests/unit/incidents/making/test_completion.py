"""What is worked out about a closed incident, beside an application that goes on."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from otel_flight.assembly import ASSEMBLY
from otel_flight.ground.deadline import Deadline, OutOfTime
from otel_flight.ground.guard import Guard
from otel_flight.incidents.gil_yields import GilYields
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import complete, examined
from otel_flight.incidents.window import Window, WindowRecord
from otel_flight.records.records import RuntimeEvent
from otel_flight.testing import FakeClock
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.rig_incidents import incident_of
from tests.support.rigs.recording_rig import RecordingRig


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


def test_what_went_out_unfinished_before_is_known(own_environment: Path) -> None:
    """Whether it has ended by now or not: no span is sent twice under its own id."""
    with RecordingRig(own_environment) as rig:
        ended, still_open, new = (rig.tracer.start_span(name) for name in ("one", "two", "new"))
        ended.end()
        incident = incident_of(rig)
        new.end()
        still_open.end()
    before = {span.get_span_context().span_id for span in (ended, still_open)}

    completed = complete(incident, ASSEMBLY.rulebook, Guard(), before)

    assert completed.manifest.unfinished_before_ids == before


def test_the_evidence_does_not_provoke_a_full_garbage_collection(own_environment: Path) -> None:
    """Thousands of objects that survive for a second make the host collect all of its own."""
    with RecordingRig(own_environment, runtime_bytes="512KiB") as rig:
        for number in range(2000):
            rig.tracer.start_span("request").end()
            rig.session.runtime.record(RuntimeEvent("logs", "log record", number, number))
        incident = incident_of(rig)
    gc.collect()
    before = count_collectable()

    view = evidence_of(incident)

    assert len(view.roots) == 2000
    assert len(view.events("logs")) == 2000
    assert count_collectable() - before < 200


def count_collectable() -> int:
    """Return how many objects a collection looks at: from Python 3.14 on, also every dictionary."""
    leaves_out_dictionaries = sys.version_info >= (3, 14)
    return sum(type(each) is not dict or not leaves_out_dictionaries for each in gc.get_objects())


def test_what_there_was_no_time_for_is_done_by_whoever_reads_it(own_environment: Path) -> None:
    """The incident of a process that ends is written without; later it is what it would have been.

    Whoever has no time for it either does not take it as it is: it would be delivered so.
    """
    with RecordingRig(own_environment) as rig:
        for _ in range(1000):
            rig.tracer.start_span("request").end()
        incident = incident_of(rig)
    guard = Guard()

    def has_none() -> NoReturn:
        raise OutOfTime

    late = complete(incident, ASSEMBLY.rulebook, guard, {7}, has_none)

    assert (late.manifest.is_unexamined, late.manifest.spans) == (True, 0)
    with pytest.raises(OutOfTime):
        examined(late, ASSEMBLY.rulebook, guard, has_none)
    done = examined(late, ASSEMBLY.rulebook, guard)
    assert done.manifest == complete(incident, ASSEMBLY.rulebook, guard, {7}).manifest
    assert done.manifest.spans == 1000
    assert guard.errors() == ()


def test_a_process_that_ends_gives_the_gil_up_no_more() -> None:
    """It has two fifths of its time to examine an incident, three until nothing is compressed."""
    clock = FakeClock()
    yields = GilYields()
    yields.give_up_in_time()

    yields.hurry(Deadline.after(10.0, clock))

    yields.give_up_in_time()
    clock.advance(4.5)
    yields.give_up()
    with pytest.raises(OutOfTime):
        yields.give_up_in_time()
    assert not yields.is_late()
    clock.advance(2.0)
    assert yields.is_late()
