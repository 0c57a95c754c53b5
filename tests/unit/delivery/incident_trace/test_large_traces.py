"""Traces that a backend may not take as a whole: known by their size, the best of them first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import set_span_in_context

from otel_flight.delivery.incident_trace.large_traces import LARGE_BYTES, large_traces
from otel_flight.delivery.incident_trace.span_index import SpanIndex
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.span_chunks import MOST_SPANS, SpanChunks
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from tests.support.incidents.rig_incidents import cause_of, incident_of
from tests.support.rigs.recording_rig import UNLIMITED, RecordingRig

TEXT = "x" * 2000
ENOUGH = LARGE_BYTES // 2000
"""So many spans with that text make a large trace."""


@pytest.fixture
def rig(own_environment: Path) -> Iterator[RecordingRig]:
    """A ring that is recorded into."""
    with RecordingRig(own_environment, UNLIMITED, window_bytes="16MiB") as rig:
        yield rig


def record_rows(rig: RecordingRig, parent: Span, count: int, name: str = "row") -> None:
    """Record so many short spans with a text below a span."""
    context = set_span_in_context(parent)
    for _ in range(count):
        rig.tracer.start_span(name, context, attributes={"text": TEXT}).end()


def open_span(rig: RecordingRig, name: str, parent: Span | None = None) -> Span:
    """Start a span."""
    span = rig.tracer.start_span(name, set_span_in_context(parent) if parent else None)
    assert isinstance(span, Span)
    return span


def index_of(rig: RecordingRig) -> SpanIndex:
    """Return the index of all that was recorded."""
    return SpanIndex(incident_of(rig).window, lambda: None)


def chunks_of(incident: Incident) -> list[list[str]]:
    """Return the names of the spans of each chunk."""
    pacer = Pacer(1.0, sleep=lambda seconds: None)
    return [[span.name for span in chunk] for chunk in SpanChunks(incident, pacer, Guard())]


def test_large_traces_are_known_with_their_size(rig: RecordingRig) -> None:
    """Those near a backend's limit are named, the largest first, the others are not."""
    roots = {name: open_span(rig, name) for name in ("small", "large", "larger")}
    record_rows(rig, roots["small"], ENOUGH // 2)
    record_rows(rig, roots["large"], ENOUGH)
    record_rows(rig, roots["larger"], ENOUGH + 100)
    for root in roots.values():
        root.end()

    found = large_traces(index_of(rig))

    assert [(each.trace_id, each.spans) for each in found] == [
        (roots["larger"].get_span_context().trace_id, ENOUGH + 101),
        (roots["large"].get_span_context().trace_id, ENOUGH + 1),
    ]


def test_the_size_is_about_what_is_sent(rig: RecordingRig) -> None:
    """It differs from that of the official encoding by less than five in a hundred."""
    root = open_span(rig, "GET /export")
    record_rows(rig, root, ENOUGH)
    root.end()
    incident = incident_of(rig)

    (found,) = large_traces(SpanIndex(incident.window, lambda: None))

    sent = [span for chunk in SpanChunks(incident, Pacer(1.0), Guard()) for span in chunk]
    of_trace = [span for span in sent if span.context.trace_id == found.trace_id]
    assert len(of_trace) == found.spans
    exact = len(encode_spans(of_trace).SerializeToString())
    assert abs(found.bytes - exact) < 0.05 * exact


def test_of_a_large_trace_the_top_goes_first(rig: RecordingRig) -> None:
    """The span that fired, however short, then the longest; all of it once."""
    root = open_span(rig, "GET /export")
    write = open_span(rig, "write", root)
    record_rows(rig, write, ENOUGH)
    failed = open_span(rig, "commit", write)
    failed.end()
    write.end()
    root.end()

    chunks = chunks_of(incident_of(rig, causes=[cause_of(failed)]))

    assert chunks[0][:3] == ["commit", "GET /export", "write"]
    names = [name for chunk in chunks for name in chunk]
    assert names.count("row") == ENOUGH
    assert names.count("write") == names.count("commit") == 1


def test_the_incident_does_not_wait_for_the_rest_of_a_large_trace(rig: RecordingRig) -> None:
    """After the first chunk of it comes the incident's own trace, then what is left of it."""
    root = open_span(rig, "GET /export")
    record_rows(rig, root, ENOUGH)
    root.end()

    chunks = chunks_of(incident_of(rig, causes=[cause_of(root)]))

    assert len(chunks[0]) == MOST_SPANS
    assert chunks[1][0] == "incident: error span GET /export"
    assert sum(map(len, chunks[2:])) == ENOUGH + 1 - MOST_SPANS


def test_a_large_trace_that_did_not_fire_is_told_from_its_top_as_well(rig: RecordingRig) -> None:
    """Its root, which ended last, goes first among its spans."""
    large = open_span(rig, "GET /other")
    record_rows(rig, large, ENOUGH)
    large.end()
    fired = open_span(rig, "GET /broken")
    fired.end()

    chunks = chunks_of(incident_of(rig, causes=[cause_of(fired)]))

    assert [chunk[0] for chunk in chunks[:3]] == [
        "GET /broken",
        "incident: error span GET /broken",
        "GET /other",
    ]


def test_the_incident_says_which_traces_are_large(rig: RecordingRig) -> None:
    """An event on the root names the trace, its spans and its size; without one there is none."""
    root = open_span(rig, "GET /export")
    record_rows(rig, root, ENOUGH)
    root.end()
    incident = incident_of(rig, causes=[cause_of(root)])
    (found,) = large_traces(SpanIndex(incident.window, lambda: None))

    chunks = SpanChunks(incident, Pacer(1.0), Guard())
    own = next(span for chunk in chunks for span in chunk if span.name.startswith("incident: "))

    (event,) = [event for event in own.events if event.name == "large trace"]
    assert event.attributes == {
        "flight_recorder.trace_id": f"{found.trace_id:032x}",
        "flight_recorder.trace.spans": found.spans,
        "flight_recorder.trace.bytes": pytest.approx(found.bytes, rel=0.001),
    }
