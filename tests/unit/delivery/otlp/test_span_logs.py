"""Log records are events of the spans they belong to, or else of their source's lane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import use_span

from otel_flight.delivery.chunks import SpanChunk
from otel_flight.delivery.otlp.span_logs import MOST_EVENTS
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.span_chunks import MOST_BYTES, SpanChunks
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.interpreter.current_ids import current_ids
from otel_flight.names import event_names, exception_attributes
from otel_flight.names.log_attributes import MESSAGE
from otel_flight.records.records import RuntimeEvent
from otel_flight.sources.base import halves
from tests.support.incidents.rig_incidents import cause_of, incident_of
from tests.support.receivers.otlp_messages import spans_in
from tests.support.rigs.logging_rig import LoggingRig


@pytest.fixture
def rig(own_environment: Path) -> Iterator[LoggingRig]:
    """A ring that is recorded into."""
    with LoggingRig(own_environment, window_bytes="16MiB", runtime_bytes="8MiB") as rig:
        yield rig


def chunks_of(incident: Incident, **options: bool) -> SpanChunks:
    """Return the incident's chunks, made without a sleep."""
    return SpanChunks(incident, Pacer(1.0, sleep=lambda seconds: None), Guard(), **options)


def built(incident: Incident, **options: bool) -> dict[str, ReadableSpan]:
    """Return what is exported, by name, as the official encoder is given it."""
    return {span.name: span for chunk in chunks_of(incident, **options) for span in chunk}


def request_of(chunk: SpanChunk) -> ExportTraceServiceRequest:
    """Return the request that an exporter sends of a chunk."""
    data = chunk.encoded(encode_spans)
    return encode_spans(chunk) if data is None else ExportTraceServiceRequest.FromString(data)


def sent(incident: Incident) -> dict[str, OtlpSpan]:
    """Return what goes over the wire, by name, encoded in the cheapest way there is."""
    chunks = list(chunks_of(incident))
    found = [item.span for chunk in chunks for item in spans_in(request_of(chunk))]
    assert len({span.span_id for span in found}) == len(found)
    return {span.name: span for span in found}


def messages(span: ReadableSpan) -> list[Any]:
    """Return the messages of a span's events."""
    return [(event.attributes or {}).get(MESSAGE) for event in span.events]


def lane(spans: dict[str, ReadableSpan]) -> dict[str, Any]:
    """Return the attributes of the lane of logs."""
    return dict(spans["lane: logs"].attributes or {})


def test_a_log_record_is_an_event_of_its_span(rig: LoggingRig) -> None:
    """Behind the span's own events, with its time and all it says; and not on the lane as well."""
    with rig.tracer.start_as_current_span("GET /") as outer:
        outer.add_event("own")
        with rig.tracer.start_as_current_span("query"):
            rig.logger.warning("slow: %s", "SELECT")
        rig.logger.error("late")

    spans = built(incident_of(rig))

    assert [event.name for event in spans["GET /"].events] == ["own", "log record"]
    assert messages(spans["GET /"]) == [None, "late"]
    (event,) = spans["query"].events
    attributes = dict(event.attributes or {})
    line = attributes.pop("code.line.number")
    assert isinstance(line, int)
    assert attributes == {
        "flight_recorder.log.logger": "shop.orders",
        "flight_recorder.log.severity": "WARNING",
        "flight_recorder.log.level": 30,
        "flight_recorder.log.message": "slow: SELECT",
        "code.function.name": "test_a_log_record_is_an_event_of_its_span",
        "code.file.path": __file__,
        "thread.id": attributes["thread.id"],
    }
    query = next(span for span in rig.ended.spans if span.name == "query")
    assert (query.start_time or 0) - 1000 <= event.timestamp <= (query.end_time or 0)
    assert messages(spans["lane: logs"]) == []
    assert lane(spans)["flight_recorder.events"] == 2
    assert lane(spans)["flight_recorder.events.on_spans"] == 2


def test_what_belongs_to_no_span_is_on_the_lane(rig: LoggingRig) -> None:
    """With nothing on any span."""
    rig.logger.warning("at start")
    with rig.tracer.start_as_current_span("GET /"):
        pass

    spans = built(incident_of(rig))

    assert messages(spans["lane: logs"]) == ["at start"]
    assert "flight_recorder.events.on_spans" not in lane(spans)
    assert spans["GET /"].events == ()


def test_what_belongs_to_a_span_that_is_not_here_is_on_the_lane(rig: LoggingRig) -> None:
    """As one whose record was evicted, or that is in another process: with its ids."""
    with rig.tracer.start_as_current_span("GET /") as span:
        context = span.get_span_context()
    attributes = {MESSAGE: "elsewhere"}
    ids = *halves(context.trace_id), context.span_id ^ 1
    rig.session.runtime.record(RuntimeEvent("logs", "log record", 1, 1, 0, *ids, attributes))

    spans = built(incident_of(rig))

    (event,) = spans["lane: logs"].events
    assert (event.attributes or {})["flight_recorder.trace_id"] == f"{context.trace_id:032x}"
    assert spans["GET /"].events == ()


def test_a_span_that_is_still_open_has_its_logs(rig: LoggingRig) -> None:
    """They may be all there is to say why it hangs."""
    span = rig.tracer.start_span("hung")
    with use_span(span, end_on_exit=False):
        rig.logger.warning("waiting")

    spans = built(incident_of(rig))

    assert messages(spans["hung"]) == ["waiting"]
    span.end()


def test_a_span_that_another_pipeline_exports_leaves_its_logs_to_the_lane(rig: LoggingRig) -> None:
    """Where the span is left out its logs would be nowhere; a file that stands alone has it all."""
    with rig.tracer.start_as_current_span("GET /"):
        rig.logger.warning("here")
    incident = incident_of(rig)

    sent_without, standing_alone = (
        built(incident, skips_sampled=True),
        built(incident, skips_sampled=True, is_standalone=True),
    )

    assert "GET /" not in sent_without
    assert messages(sent_without["lane: logs"]) == ["here"]
    assert messages(standing_alone["GET /"]) == ["here"]


def test_the_same_chunks_whatever_is_left_out(rig: LoggingRig) -> None:
    """The lane is there in any case: "the first n chunks are delivered" depends on the file."""
    with rig.tracer.start_as_current_span("GET /") as span:
        rig.logger.warning("here")
    incident = incident_of(rig, causes=[cause_of(rig.ended.spans[0])])

    assert span.get_span_context().is_valid
    lengths = [
        [len(chunk) for chunk in chunks_of(incident, skips_sampled=skips)]
        for skips in (False, True)
    ]
    assert lengths == [[1, 4], [0, 4]]


def test_both_encodings_agree(rig: LoggingRig) -> None:
    """A span with logs goes the cheap way as well, and is the same as the official encoder's."""
    with rig.tracer.start_as_current_span("GET /", attributes={"a": [1, 2]}):
        try:
            dict[str, int]()["x"]
        except KeyError:
            rig.logger.exception("failed")
        rig.logger.warning("ö" * 5000)
    incident = incident_of(rig)

    official = encode_spans(list(built(incident).values()))
    expected = {item.span.name: item.span for item in spans_in(official)}

    assert sent(incident)["GET /"] == expected["GET /"]
    assert len(expected["GET /"].events) == 2


def test_an_exception_has_its_stacktrace(rig: LoggingRig) -> None:
    """As Python prints it, less the lines of the program: those are not recorded."""
    with rig.tracer.start_as_current_span("GET /"):
        try:
            dict[str, int]()["x"]
        except KeyError:
            rig.logger.exception("failed")

    (event,) = built(incident_of(rig))["GET /"].events
    attributes = dict(event.attributes or {})
    line = attributes["code.line.number"]
    assert isinstance(line, int)
    assert attributes["exception.stacktrace"] == (
        "Traceback (most recent call last):\n"
        f'  File "{__file__}", line {line - 2}, in test_an_exception_has_its_stacktrace\n'
        "KeyError: 'x'"
    )


def test_raised_exceptions_are_events_of_their_span(rig: LoggingRig) -> None:
    """Unhandled ones stay on the lane: they are what the incident is about."""
    with rig.tracer.start_as_current_span("GET /"):
        trace_id, span_id = current_ids()
        for name in (event_names.RAISED_EXCEPTION, event_names.UNHANDLED_EXCEPTION):
            ids = *halves(trace_id), span_id
            attributes = {exception_attributes.TYPE: "KeyError"}
            rig.session.runtime.record(RuntimeEvent("exceptions", name, 1, 1, 0, *ids, attributes))

    spans = built(incident_of(rig))

    assert [event.name for event in spans["GET /"].events] == ["raised exception"]
    assert [event.name for event in spans["lane: exceptions"].events] == ["unhandled exception"]


def test_of_many_records_a_span_has_the_last(rig: LoggingRig) -> None:
    """The others are on the lane, as far as there is room."""
    with rig.tracer.start_as_current_span("GET /"):
        for number in range(MOST_EVENTS + 10):
            rig.logger.warning("%d", number)

    spans = built(incident_of(rig))

    assert messages(spans["GET /"]) == [str(number) for number in range(10, MOST_EVENTS + 10)]
    assert messages(spans["lane: logs"]) == [str(number) for number in range(10)]


def test_chunks_with_long_logs_are_below_what_receivers_take(rig: LoggingRig) -> None:
    """What is logged counts for the size of a request."""
    for number in range(400):
        with rig.tracer.start_as_current_span(f"GET /{number}"):
            rig.session.runtime.record(
                RuntimeEvent(
                    "logs", "log record", 1, 1, 0, *_ids(), {MESSAGE: "x" * 12_000, "n": number}
                )
            )

    sizes = [len(request_of(chunk).SerializeToString()) for chunk in chunks_of(incident_of(rig))]

    assert max(sizes) < MOST_BYTES
    assert sum(sizes) > 400 * 12_000


def _ids() -> tuple[int, int, int]:
    trace_id, span_id = current_ids()
    return *halves(trace_id), span_id


def test_iterating_again_gives_the_same(rig: LoggingRig) -> None:
    """No event is added twice when a request is sent again."""
    with rig.tracer.start_as_current_span("GET /"):
        rig.logger.warning("once")
    chunks = chunks_of(incident_of(rig))

    for _ in range(2):
        spans = {span.name: span for chunk in chunks for span in chunk}
        assert messages(spans["GET /"]) == ["once"]
    whole = next(chunk for chunk in chunks if "GET /" in {span.name for span in chunk})
    assert request_of(whole) == request_of(whole)
