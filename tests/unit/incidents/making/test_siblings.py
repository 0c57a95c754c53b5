"""Windows of other processes: read from their rings, one at a time, each span once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.assembly import Settings
from otel_flight.ground.clock import ClockPair, monotonic_ns
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import read_incident, read_manifest, write_file
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.sent_unfinished import SentUnfinished
from otel_flight.incidents.making.siblings import Host, SiblingWindows
from otel_flight.incidents.manifest import MOST_PROCESSES, Manifest
from otel_flight.incidents.window import Window
from otel_flight.recording.first_spans import FirstSpans
from otel_flight.recording.session import RecordingSession
from otel_flight.recording.span_processor import RecordingSpanProcessor, unwatched
from otel_flight.records.ids import span_text
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import RingReader


class Process:
    """Another process of a service, as its ring shows it."""

    def __init__(self, rings: Path, spool: str, service: str = "shop") -> None:
        settings = Settings(
            ring_directory=str(rings), window_bytes=512 * 1024, runtime_bytes=128 * 1024
        )
        self.session = RecordingSession(settings)
        self.session.open_ring({"service": service, "spool": spool})
        processor = RecordingSpanProcessor(FirstSpans(unwatched), Guard())
        processor.record_into(self.session, unwatched, unwatched)
        provider = TracerProvider(
            resource=Resource({"service.name": service}), shutdown_on_exit=False
        )
        provider.add_span_processor(processor)
        self.tracer = provider.get_tracer("test")

    @property
    def path(self) -> Path:
        """Where its ring is."""
        assert self.session.ring is not None
        assert self.session.ring.backing.path is not None
        return self.session.ring.backing.path


class Bench:
    """A service of three processes, of which the first one makes the incident."""

    def __init__(self, rings: Path, spool: Path, stack: ExitStack) -> None:
        self._stack = stack
        self._rings = rings
        self.spool = spool
        self.own, self.first, self.second = (self.process() for _ in range(3))

    def process(self, service: str = "shop", spool: str = "") -> Process:
        """Return one more process."""
        process = Process(self._rings, spool or str(self.spool), service)
        self._stack.callback(process.session.close)
        return process

    def windows(self) -> SiblingWindows:
        """Return the windows of an incident that is closed now."""
        return SiblingWindows(
            Manifest(incident_id="20261123-184501-4873f9a1c"),
            host=Host(self.own.path, "shop", self.spool),
            moment=ClockPair.now(),
            until_monotonic_ns=monotonic_ns(),
            window_seconds=60.0,
            guard=Guard(),
            sent=SentUnfinished(lambda: None),
        )


@pytest.fixture
def bench(tmp_path: Path, own_environment: Path) -> Iterator[Bench]:
    """Return a bench whose rings are closed in the end."""
    with ExitStack() as stack:
        yield Bench(own_environment, tmp_path / "spool", stack)


def new_spans(incident: Incident) -> list[str]:
    """Return the names of the spans of a window that no incident had before."""
    first = incident.manifest.exported_to[str(LANE_SPANS)]
    return [span.name for span in incident.window.spans() if span.number >= first]


def test_each_other_process_of_the_service_has_a_window(bench: Bench) -> None:
    """None of another service or with another spool, and not the one that reads them."""
    bench.process("cart")
    bench.process(spool="/elsewhere")
    bench.first.tracer.start_span("one").end()
    bench.second.tracer.start_span("two").end()

    windows = bench.windows()
    found = list(windows)

    assert sorted(name for each in found for name in new_spans(each)) == ["one", "two"]
    assert [each.folder for each in found] == ["processes/1/", "processes/2/"]
    assert {entry.ring for entry in windows.manifest.processes} == {
        bench.first.path.name,
        bench.second.path.name,
    }
    assert {each.manifest.resource["service.name"] for each in found} == {"shop"}


def test_what_was_taken_is_in_no_other_incident(bench: Bench) -> None:
    """Unless the incident could not be kept: then it is given back."""
    bench.first.tracer.start_span("one").end()
    kept, failed = bench.windows(), bench.windows()
    list(kept)
    bench.first.tracer.start_span("two").end()

    assert sorted(name for each in failed for name in new_spans(each)) == ["two"]
    failed.give_back()
    assert sorted(name for each in bench.windows() for name in new_spans(each)) == ["two"]


def test_spans_that_have_not_ended_are_known(bench: Bench) -> None:
    """So that they go out by another id when they end."""
    span = bench.first.tracer.start_span("hangs")
    windows = bench.windows()

    unfinished = [each.name for part in windows for each in part.window.unfinished()]

    assert unfinished == ["hangs"]
    assert windows.unfinished == [span.get_span_context().span_id]


def test_a_span_that_was_open_when_its_window_was_taken_is_known_to_whoever_comes_next(
    bench: Bench,
) -> None:
    """Its ring says so, whatever the incident that took it has told by then."""
    ended, open_ = (bench.first.tracer.start_span(name) for name in ("ended", "open"))
    list(bench.windows())
    ended.end()
    bench.first.tracer.start_span("new")

    (first,) = (each for each in bench.windows() if list(each.window.unfinished()))

    ids = [span_text(each.get_span_context().span_id) for each in (ended, open_)]
    assert sorted(first.manifest.unfinished_before) == sorted(ids)
    assert {each.name for each in first.window.unfinished()} == {"open", "new"}


def test_a_process_that_has_ended_meanwhile_is_left_out(bench: Bench) -> None:
    """The file says that it was there; the others are in it."""
    bench.second.tracer.start_span("two").end()
    windows = bench.windows()
    bench.first.session.close()

    (found,) = windows

    assert new_spans(found) == ["two"]
    assert len(windows.manifest.processes) == 2


def test_there_are_at_most_so_many(bench: Bench) -> None:
    """Of a service with more processes the file does not grow further."""
    for _ in range(MOST_PROCESSES):
        bench.process()

    assert len(bench.windows().manifest.processes) == MOST_PROCESSES


def test_a_file_keeps_the_windows_apart(bench: Bench, tmp_path: Path) -> None:
    """Each is read when it is its turn; who does not ask for them reads the first one alone."""
    bench.first.tracer.start_span("one").end()
    bench.second.tracer.start_span("two").end()
    windows = bench.windows()
    path = tmp_path / "a.flight"

    write_file(Incident(windows.manifest, Window([]), others=windows), path)

    incident = read_incident(path)
    assert read_manifest(path) == windows.manifest
    assert list(incident.window.spans()) == []
    names = [[span.name for span in each.window.spans()] for each in incident.others]
    assert sorted(names) == [["one"], ["two"]]
    again = tmp_path / "b.flight"
    write_file(replace(incident, path=None), again)
    assert [each.manifest for each in read_incident(again).others] == [
        each.manifest for each in incident.others
    ]


def test_a_ring_says_up_to_which_record_it_was_taken(bench: Bench) -> None:
    """Its own process and others note that apart from each other."""
    bench.first.tracer.start_span("one").end()
    list(bench.windows())

    with RingReader(bench.first.path) as reader:
        lane = reader.image.header().lanes[LANE_SPANS]

    assert lane.exported_to_record == 0
    assert lane.first_new_record == lane.taken_to_record > 0
    assert bench.first.session.ring is not None
    assert bench.first.session.ring.taken(LANE_SPANS) == lane.taken_to_record
