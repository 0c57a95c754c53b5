"""From a firing to a written incident."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.assembly import ASSEMBLY, Settings
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import new_incident_id
from otel_flight.incidents.making.lifecycle import IncidentLifecycle
from otel_flight.incidents.manifest import Cause, Refused
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.memory_shelf import MAX_UNWRITTEN
from otel_flight.incidents.spool.spool import Spool
from otel_flight.recording.first_spans import FirstSpans
from otel_flight.recording.session import RecordingSession
from otel_flight.recording.span_processor import RecordingSpanProcessor, unwatched
from otel_flight.records.decoder import decode_records
from otel_flight.records.incident_records import (
    CLOSED,
    DELIVERED,
    WRITTEN,
    IncidentOpened,
    IncidentState,
)
from otel_flight.records.records import RuntimeEvent
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS
from otel_flight.testing import FakeClock
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.gate import BACKOFF, Gate
from otel_flight.triggers.gate.severity import Severity


class Bench:
    """The incidents of a session with everything real but the clock and the worker's thread."""

    def __init__(self, spool: Path, ring: Path) -> None:
        self.settings = Settings(
            ring_directory=str(ring),
            window_bytes=512 * 1024,
            window_seconds=60.0,
            tail_seconds=2.0,
            cooldown_seconds=30.0,
            incidents_per_hour=3,
        )
        self.clock = FakeClock()
        self.guard = Guard()
        self.session = RecordingSession(self.settings)
        self.session.open_ring({"service": "shop"})
        processor = RecordingSpanProcessor(FirstSpans(unwatched), self.guard)
        processor.record_into(self.session, unwatched, unwatched)
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(processor)
        self.tracer = self.provider.get_tracer("test")
        self.gate = Gate(self.settings, self.clock, new_incident_id)
        self.spool = Spool(spool, 1 << 30, 100, clock=self.clock)
        self.jobs: list[Callable[[], None]] = []
        self.told: list[str] = []
        self.incidents = IncidentLifecycle(
            settings=self.settings,
            session=self.session,
            gate=self.gate,
            spool=self.spool,
            rulebook=ASSEMBLY.rulebook,
            guard=self.guard,
            clock=self.clock,
            submit=self.jobs.append,
            tell=lambda incident, entry: self.told.append(entry.incident_id),
            pipeline_endpoint=lambda since_ns: "",
        )

    def fire(self, cause: str = "broken") -> str | None:
        """Fire a cause; return the incident's id."""
        verdict = self.incidents.fire(
            Firing("manual", cause, "", ("manual", cause), self.clock.wall_ns())
        )
        assert verdict is not None
        return verdict.incident_id

    def spans(self, count: int, name: str = "work") -> None:
        """Record some local roots."""
        for _ in range(count):
            self.tracer.start_span(name).end()

    def finish(self) -> Incident:
        """Let the tail pass, write, and read the newest incident."""
        self.incidents.advance()
        self.clock.advance(self.settings.tail_seconds)
        self.incidents.advance()
        self.run_jobs()
        return read_incident(max(self.spool.entries(), key=lambda entry: entry.written_ns).path)

    def run_jobs(self) -> None:
        """Do what the worker would."""
        while self.jobs:
            self.jobs.pop(0)()


@pytest.fixture
def bench(tmp_path: Path, own_environment: Path) -> Iterator[Bench]:
    """Return a bench with incidents to play with."""
    bench = Bench(tmp_path / "spool", own_environment)
    yield bench
    bench.session.close()
    assert bench.guard.errors() == ()


def names(incident: Incident) -> list[str]:
    """Return the names of the ended spans, in order."""
    return [span.record.name for span in incident.window.spans() if not span.is_open]


def test_a_window_holds_what_was_recorded_in_it_whatever_the_spans_say(bench: Bench) -> None:
    """A span that ended in 1970 by its own words is in; one recorded before the window is not."""
    bench.spans(1, "too old")
    bench.incidents.advance()
    bench.clock.advance(bench.settings.window_seconds + 1)
    bench.tracer.start_span("from 1970", start_time=1).end(2)
    bench.tracer.start_span("from 2700", start_time=1 << 64).end(1 << 64)
    bench.spans(1, "usual")
    bench.fire()

    assert names(bench.finish()) == ["from 1970", "from 2700", "usual"]


def test_an_incident_holds_the_window_and_the_tail(bench: Bench) -> None:
    """Spans before the trigger and within the tail are in, later ones are not."""
    bench.spans(3, "before")
    incident_id = bench.fire()
    bench.incidents.advance()
    bench.spans(2, "tail")
    incident = bench.finish()
    bench.spans(1, "after")

    assert incident.manifest.incident_id == incident_id
    assert names(incident) == ["before"] * 3 + ["tail"] * 2
    assert incident.manifest.spans == 5
    assert incident.manifest.coverage.is_complete
    assert incident.manifest.losses.is_empty
    assert [cause.title for cause in incident.manifest.causes] == ["broken"]


def test_the_window_before_the_trigger_survives_a_busy_tail(bench: Bench) -> None:
    """What was frozen cannot be overwritten by what comes after, and the gap is counted."""
    bench.spans(100, "before")
    bench.fire()
    bench.incidents.advance()
    bench.spans(20_000, "tail")
    incident = bench.finish()
    found = names(incident)

    assert found[:100] == ["before"] * 100
    assert incident.manifest.losses.overtaken > 0
    entries = [entry for entry in incident.manifest.segments if entry.lane == LANE_SPANS]
    held = sum(entry.records for entry in entries)
    assert (
        held + incident.manifest.losses.overtaken == entries[-1].first_record + entries[-1].records
    )


def test_firings_during_an_open_incident_join_it(bench: Bench) -> None:
    """A second cause gets the first one's id; the same cause again is a repeat."""
    first = bench.fire("one")
    bench.incidents.advance()
    assert bench.fire("two") == first
    assert bench.fire("two") == first
    incident = bench.finish()

    assert [(cause.reason, cause.repeats) for cause in incident.manifest.causes] == [
        ("one", 0),
        ("two", 1),
    ]
    assert len(bench.spool.entries()) == 1


def test_two_firings_before_the_first_tick_are_one_incident(bench: Bench) -> None:
    """The gate knows of the incident before the ticker has frozen anything."""
    assert bench.fire("one") == bench.fire("two")
    assert len(bench.finish().manifest.causes) == 2


def failure(subject: str, span_id: int, severity: Severity, *, trace_id: int = 1) -> Firing:
    """Return the firing of a span that failed."""
    return Firing(
        "error_span",
        "error span",
        subject,
        ("error_span", subject),
        span_id,
        trace_id=trace_id,
        span_id=span_id,
        severity=severity,
    )


def test_the_worst_cause_comes_first(bench: Bench) -> None:
    """The incident is about it then; of two that are as bad, the one with a trace comes first."""
    bench.incidents.fire(failure("SELECT", 7, Severity.SURVIVED))
    bench.incidents.fire(failure("GET /y", 9, Severity.FAILED, trace_id=0))
    bench.incidents.fire(failure("GET /slow", 6, Severity.SLOW))
    bench.incidents.fire(failure("GET /x", 8, Severity.FAILED))
    manifest = bench.finish().manifest

    assert [cause.subject for cause in manifest.causes] == [
        "GET /x",
        "GET /y",
        "GET /slow",
        "SELECT",
    ]
    assert manifest.title == "error span GET /x"
    assert manifest.opened_ns == manifest.causes[0].time_ns == 8
    assert manifest.trigger is not None
    assert manifest.trigger.span_id == f"{8:016x}"


def test_what_was_refused_is_told_by_the_next_incident(bench: Bench) -> None:
    """How many firings of which causes."""
    bench.fire("one")
    bench.incidents.advance()
    first = bench.finish()
    for _ in range(3):
        bench.fire("one")
    bench.fire("two")
    bench.incidents.advance()
    manifest = bench.finish().manifest

    assert first.manifest.refused == Refused()
    assert (manifest.refused.firings, list(manifest.refused.causes.values())) == (3, [3])
    assert list(manifest.refused.causes) == [first.manifest.title]


def test_a_closed_incident_is_not_joined(bench: Bench) -> None:
    """After the tail a new cause makes a new incident, which knows what the first one exported."""
    bench.spans(5, "first")
    first = bench.fire("one")
    bench.incidents.advance()
    earlier = bench.finish()
    bench.spans(4, "second")
    second = bench.fire("two")
    bench.incidents.advance()
    incident = bench.finish()

    assert second != first
    assert incident.manifest.previous_incident_id == first
    newest = max(span.number for span in earlier.window.spans())
    assert incident.manifest.exported_to["0"] == newest + 1
    fresh = [s.record.name for s in incident.window.spans() if s.number > newest]
    assert fresh == ["second"] * 4
    assert names(incident) == ["first"] * 5 + ["second"] * 4


def test_cooldown_and_budget_refuse_and_are_counted(bench: Bench) -> None:
    """The same cause waits for its cooldown, any cause for the hour's budget."""
    assert bench.fire("one")
    bench.finish()
    assert bench.fire("one") is None
    bench.clock.advance(30)
    assert bench.fire("one")
    bench.finish()
    assert bench.fire("two")
    bench.finish()
    assert bench.fire("three") is None
    bench.clock.advance(3600)
    assert bench.fire("three")
    bench.finish()

    counts = bench.gate.counts()
    assert counts["manual", "opened"] == 4
    assert counts["manual", "cooldown"] == 1
    assert counts["manual", "budget"] == 1


def test_an_incident_that_cannot_be_kept_gives_its_budget_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong must not use up the hour, nor hide the window from the next incident."""

    def fail(incident: Incident) -> NoReturn:
        raise ValueError(incident.manifest.incident_id)

    monkeypatch.setattr(bench.spool, "add", fail)
    bench.spans(3)
    for cause in ("one", "two", "three"):
        assert bench.fire(cause)
        bench.incidents.advance()
        bench.clock.advance(2)
        bench.incidents.advance()
        bench.run_jobs()
        bench.incidents.advance()
        bench.clock.advance(10)
    assert bench.incidents.failed == 3
    assert bench.guard.errors()[0].place == "write incident"
    monkeypatch.undo()

    assert bench.fire("four")
    incident = bench.finish()

    assert names(incident) == ["work"] * 3
    assert incident.manifest.exported_to == {}
    bench.guard._places.clear()


def test_incidents_wait_in_memory_while_none_can_be_written(bench: Bench, tmp_path: Path) -> None:
    """Two do; the gate opens no others meanwhile, and nothing fails."""
    (tmp_path / "spool").write_text("a file where the directory should be")
    bench.spans(3)
    outcomes = []
    for number in range(600):
        outcomes.append(bench.fire(f"cause {number}") is not None)
        bench.incidents.advance()
        bench.clock.advance(2)
        bench.incidents.advance()
        bench.run_jobs()

    assert outcomes[:2] == [True, True]
    assert outcomes.count(True) == 2
    assert (bench.incidents.unspooled, bench.incidents.written) == (2, 0)
    assert bench.incidents.failed == 0
    assert [entry.is_in_memory for entry in bench.spool.entries()] == [True, True]

    (tmp_path / "spool").unlink()
    bench.clock.advance(60)

    assert bench.spool.rescue() is None
    assert [entry.is_in_memory for entry in bench.spool.entries()] == [False, False]
    assert names(bench.spool.read(bench.spool.entries()[0])) == ["work"] * 3


def test_unwritten_incidents_are_bounded(bench: Bench) -> None:
    """A worker that hangs keeps two windows in memory, not more; the gate opens none meanwhile.

    Ten thousand requests that hang make windows faster than they are written: nothing failed then.
    """
    for number in range(MAX_UNWRITTEN):
        assert bench.fire(f"cause {number}")
        bench.incidents.advance()
        bench.clock.advance(2)
        bench.incidents.advance()

    assert bench.fire("one more") is None
    assert bench.gate.counts()["manual", BACKOFF] == 1
    assert (len(bench.jobs), bench.incidents.failed) == (MAX_UNWRITTEN, 0)

    bench.run_jobs()
    bench.incidents.advance()
    assert bench.fire("one more")


def test_open_spans_are_in_it_and_remembered(bench: Bench) -> None:
    """A span that was unfinished in one incident is named when a later one has its end."""
    hung = bench.tracer.start_span("hung", attributes={"order": 7})
    bench.fire("one")
    bench.incidents.advance()
    first = bench.finish()
    hung.end()
    bench.fire("two")
    bench.incidents.advance()
    second = bench.finish()

    (unfinished,) = [span for span in first.window.spans() if span.is_open]
    assert unfinished.record.name == "hung"
    assert unfinished.record.attributes == {"order": 7}
    assert unfinished.record.end_ns == first.manifest.closed_ns
    assert unfinished.scope is not None
    assert unfinished.scope.name == "test"
    context = hung.get_span_context()
    assert second.manifest.unfinished_before == [f"{context.span_id:016x}"]
    assert not any(span.is_open for span in second.window.spans())


def test_closing_now_does_not_wait_for_the_tail(bench: Bench) -> None:
    """At shutdown even an incident that nobody has frozen yet is finished."""
    bench.spans(2)
    bench.fire()
    bench.incidents.close_now()
    bench.run_jobs()

    assert len(bench.spool.entries()) == 1


def test_a_snapshot_needs_no_cause_and_changes_nothing(bench: Bench) -> None:
    """Looking at the window makes no incident, and the next incident still has all of it."""
    bench.spans(3)
    snapshot = bench.incidents.snapshot()

    assert snapshot.manifest.trigger is None
    assert snapshot.manifest.title == "snapshot"
    assert names(snapshot) == ["work"] * 3
    bench.fire()
    bench.incidents.advance()
    assert bench.finish().manifest.exported_to == {}
    assert len(bench.spool.entries()) == 1


def said(bench: Bench) -> list[IncidentOpened | IncidentState]:
    """Return what the ring says of incidents, oldest first."""
    assert bench.session.ring is not None
    return [
        record
        for segment in bench.session.ring.image.segments(LANE_RUNTIME)
        for record in decode_records(segment.payload, segment.records).records
        if isinstance(record, IncidentOpened | IncidentState)
    ]


def states(bench: Bench) -> list[int]:
    """Return the states that the ring tells."""
    return [record.state for record in said(bench) if isinstance(record, IncidentState)]


def test_the_ring_knows_of_an_incident_as_soon_as_it_fired(bench: Bench) -> None:
    """A process that is killed at the next instruction leaves its id and its cause."""
    bench.spans(3)

    incident_id = bench.fire("broken")

    (opened,) = said(bench)
    assert isinstance(opened, IncidentOpened)
    assert opened.incident_id == incident_id
    assert [msgspec.convert(cause, Cause).reason for cause in opened.causes] == ["broken"]
    assert opened.opened_ns == bench.clock.wall_ns()
    assert opened.first_records == (0, 0)


def test_the_ring_knows_further_causes_and_what_became_of_it(bench: Bench) -> None:
    """The newest record has all causes; closed, and then written, are said when they are so."""
    bench.fire("broken")
    bench.incidents.advance()
    bench.fire("slow")
    bench.incidents.advance()
    opened = said(bench)[-1]
    assert isinstance(opened, IncidentOpened)
    assert [cause["reason"] for cause in opened.causes] == ["broken", "slow"]
    assert states(bench) == []

    bench.clock.advance(bench.settings.tail_seconds)
    bench.incidents.advance()
    assert states(bench) == [CLOSED]
    bench.run_jobs()
    bench.incidents.advance()
    assert states(bench) == [CLOSED, WRITTEN]

    (entry,) = bench.spool.entries()
    bench.spool.save_state(entry, DeliveryState(delivered=True))
    bench.incidents.advance()
    assert states(bench) == [CLOSED, WRITTEN, DELIVERED]


def test_what_is_not_written_is_said_again_in_each_segment(bench: Bench) -> None:
    """The lane of a chatty process would drop it; what is written need not be remembered."""
    incident_id = bench.fire()
    bench.incidents.advance()
    noise = RuntimeEvent("logs", "log record", 1, 1, attributes={"body": "x" * 8000})

    for _ in range(100):
        bench.session.runtime.record(noise)
        bench.incidents.advance()

    assert [record.incident_id for record in said(bench)][-1:] == [incident_id]
    bench.finish()
    bench.incidents.advance()
    for _ in range(100):
        bench.session.runtime.record(noise)
        bench.incidents.advance()
    assert said(bench) == []


def test_what_the_ring_says_of_incidents_is_not_in_them(bench: Bench) -> None:
    """They are no events of the process, and count as none."""
    bench.fire()

    incident = bench.finish()

    assert incident.manifest.record_counts == {}
    assert incident.manifest.losses.is_empty


def test_a_cause_that_is_too_long_is_cut(bench: Bench) -> None:
    """So are its attributes, whatever is in them: a lane takes no record without a bound."""
    attributes = {str(number): "x" * 10_000 for number in range(20)} | {"object": object()}
    firing = Firing("manual", "odd", "", ("manual", "odd"), 1, attributes=attributes)

    bench.incidents.fire(firing)

    (opened,) = said(bench)
    assert isinstance(opened, IncidentOpened)
    assert opened.causes[0]["reason"] == "odd"
