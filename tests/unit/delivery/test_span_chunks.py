"""Every span goes out once, in an order and in portions that depend on the file alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import set_span_in_context

from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.span_chunks import MOST_BYTES, SpanChunks
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.window import Window, WindowSegment
from otel_flight.recording.sampler import FlightSampler
from tests.support.incidents.rig_incidents import cause_of, incident_of
from tests.support.rigs.recording_rig import UNLIMITED, RecordingRig

Names = list[list[str]]


@pytest.fixture
def rig(own_environment: Path) -> Iterator[RecordingRig]:
    """A ring that is recorded into."""
    with RecordingRig(own_environment, UNLIMITED, window_bytes="8MiB") as rig:
        rig.collect_ended()
        yield rig


def chunks_of(incident: Incident, **options: bool | int) -> SpanChunks:
    """Return the incident's chunks, made without a sleep."""
    pacer = Pacer(1.0, sleep=lambda seconds: None)
    return SpanChunks(incident, pacer, Guard(), **options)  # type: ignore[arg-type]


def names_of(chunks: SpanChunks) -> Names:
    """Return the names of the spans of each chunk, the incident's own trace as its root's alone."""
    found = [[span.name for span in chunk] for chunk in chunks]
    return [names[:1] if names and names[0].startswith("incident:") else names for names in found]


def record_trace(rig: RecordingRig, name: str, children: int) -> Span:
    """Record a trace of a root and its children; return the root."""
    root = rig.tracer.start_span(name)
    assert isinstance(root, Span)
    for number in range(children):
        rig.tracer.start_span(f"{name}.{number}", set_span_in_context(root)).end()
    root.end()
    return root


def number_of(rig: RecordingRig, span: ReadableSpan) -> int:
    """Return the record number of an ended span."""
    context = span.get_span_context()
    assert context is not None
    for found in incident_of(rig).window.spans():
        if found.record.span_id == context.span_id:
            return found.number
    raise AssertionError(span.name)


def test_the_trigger_goes_first_then_the_incident_then_the_newest(rig: RecordingRig) -> None:
    """The order in which someone who is waiting wants them."""
    roots = [record_trace(rig, name, 1) for name in ("old", "bad", "new")]

    chunks = chunks_of(incident_of(rig, causes=[cause_of(roots[1])]))

    assert names_of(chunks) == [
        ["bad.0", "bad"],
        ["incident: error span bad"],
        ["new.0", "new", "old.0", "old"],
    ]


def test_an_open_trace_counts_as_new(rig: RecordingRig) -> None:
    """What is still open comes before what is long over."""
    hung = rig.tracer.start_span("hung")
    record_trace(rig, "done", 0)

    assert names_of(chunks_of(incident_of(rig))) == [["incident: snapshot"], ["hung", "done"]]
    hung.end()


def test_chunks_hold_512_spans_and_whole_traces(rig: RecordingRig) -> None:
    """A trace is divided only when it does not fit into a chunk of its own."""
    for name, children in (("a", 399), ("b", 199), ("c", 1199), ("d", 79)):
        record_trace(rig, name, children)

    _, *chunks = names_of(chunks_of(incident_of(rig)))

    letters = [sorted({name[0] for name in names}) for names in chunks]
    assert [len(names) for names in chunks] == [80, 512, 512, 376, 400]
    assert letters == [["d"], ["c"], ["c"], ["b", "c"], ["a"]]
    assert len({name for names in chunks for name in names}) == sum(map(len, chunks))


def test_chunks_are_below_what_receivers_take(rig: RecordingRig) -> None:
    """Also where values take much more room in OTLP than in a record."""
    for number in range(200):
        root = rig.tracer.start_span(f"big {number}", attributes={"text": "x" * 30_000})
        root.set_attribute("ints", [-1] * 20_000 if number < 10 else [])
        root.end()
    for number in range(50):
        rig.tracer.start_span(f"dense {number}", attributes={"ints": [-1] * 1300}).end()

    sizes = [len(encode_spans(chunk).SerializeToString()) for chunk in chunks_of(incident_of(rig))]

    assert max(sizes) <= MOST_BYTES
    assert sum(sizes) > 2 * MOST_BYTES
    assert len(sizes) < 8


def test_dividing_again_gives_the_same(rig: RecordingRig) -> None:
    """So "the first n chunks" means the same in the next process."""
    for number in range(60):
        record_trace(rig, f"t{number}", number % 13)
    incident = incident_of(rig)

    chunks = chunks_of(incident)

    assert names_of(chunks) == names_of(chunks) == names_of(chunks_of(incident))


def test_what_an_earlier_incident_has_is_left_out(rig: RecordingRig) -> None:
    """Records before the watermark went out with another incident; a copy on disk has them too."""
    record_trace(rig, "before", 1)
    after = record_trace(rig, "after", 0)
    incident = incident_of(rig, exported_to={"0": number_of(rig, after)})

    assert names_of(chunks_of(incident)) == [["incident: snapshot"], ["after"]]
    assert names_of(chunks_of(incident, is_standalone=True)) == [
        ["incident: snapshot"],
        ["after", "before.0", "before"],
    ]


def test_an_open_span_goes_out_once(rig: RecordingRig) -> None:
    """One that an earlier incident sent unfinished waits for its end."""
    hung = rig.tracer.start_span("hung")
    sent = f"{hung.get_span_context().span_id:016x}"
    incident = incident_of(rig, unfinished_before=[sent])

    assert names_of(chunks_of(incident)) == [["incident: snapshot"]]
    assert names_of(chunks_of(incident, is_standalone=True)) == [["incident: snapshot"], ["hung"]]
    hung.end()


def test_what_the_pipeline_exports_is_left_out_of_its_chunk(rig: RecordingRig) -> None:
    """Sampled spans are left out when told so; the division into chunks stays as it is."""
    for number in range(10):
        rig.provider.sampler = FlightSampler(ALWAYS_OFF)
        unsampled = rig.provider.get_tracer(f"off {number}").start_span(f"off {number}")
        rig.tracer.start_span(f"on {number}").end()
        unsampled.end()
    incident = incident_of(rig)

    everything = names_of(chunks_of(incident, most_spans=4))
    rescued = names_of(chunks_of(incident, most_spans=4, skips_sampled=True))

    assert rescued == [
        [name for name in names if not name.startswith("on")] for names in everything
    ]
    assert sum(map(len, rescued)) == 11
    assert [len(chunk) for chunk in chunks_of(incident, most_spans=4, skips_sampled=True)] == [
        len(names) for names in rescued
    ]


def test_a_span_recorded_twice_goes_out_once(rig: RecordingRig) -> None:
    """Two processors on one provider record each span twice; an open one may end meanwhile."""
    span = rig.tracer.start_span("work")
    open_too = incident_of(rig).window.open_spans
    span.end()
    rig.session.lanes[0].append(*rig.session.encoder.encode_end(span))
    incident = incident_of(rig)
    window = Window(incident.window.segments, open_too)

    names = names_of(chunks_of(dataclasses.replace(incident, window=window)))

    assert names == [["incident: snapshot"], ["work"]]


def test_spans_older_than_the_window_are_left_out(rig: RecordingRig) -> None:
    """The oldest segment holds some that were recorded before the window begins."""
    rig.tracer.start_span("old", start_time=1).end(10)
    rig.tracer.start_span("young", start_time=1).end(20)
    incident = incident_of(rig)
    segments = [WindowSegment(item.segment, 4) for item in incident.window.segments]

    names = names_of(chunks_of(dataclasses.replace(incident, window=Window(segments))))

    assert names == [["incident: snapshot"], ["young"]]


def test_a_damaged_segment_does_not_stop_the_others(rig: RecordingRig) -> None:
    """What cannot be read is left out; the rest goes out."""
    record_trace(rig, "good", 0)
    incident = incident_of(rig)
    [item] = incident.window.segments
    torn = dataclasses.replace(item.segment, payload=item.segment.payload[:-3])
    strange = msgspec.msgpack.encode([1, "no", "span"])
    mixed = dataclasses.replace(
        item.segment,
        payload=strange + item.segment.payload,
        records=item.segment.records + 1,
    )
    segments = [WindowSegment(torn), WindowSegment(mixed)]

    names = names_of(chunks_of(dataclasses.replace(incident, window=Window(segments))))

    assert names == [["incident: snapshot"], ["good"]]


def test_one_span_object_is_alive_at_a_time(rig: RecordingRig) -> None:
    """Spans are made while a chunk is iterated, and again for the next attempt."""
    record_trace(rig, "t", 5)
    [_, chunk] = list(chunks_of(incident_of(rig)))

    first, second = list(chunk), list(chunk)

    assert len(chunk) == 6
    assert [span.name for span in first] == [span.name for span in second]
    assert all(one is not other for one, other in zip(first, second, strict=True))
    assert chunk[0].name == "t.0"
