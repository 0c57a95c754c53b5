"""Log records travel from the spool to a real receiver of OTLP logs, beside the spans."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.assembly import Settings
from otel_flight.delivery.log_chunks import MOST_RECORDS
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.directory import LOGS_STATE_SUFFIX, SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS
from tests.support.incidents.rig_incidents import INCIDENT_ID, cause_of, incident_of
from tests.support.processes.service_process import free_port
from tests.support.receivers.otlp_messages import (
    UNAUTHENTICATED,
    UNAVAILABLE,
    ReceivedLog,
    ReceivedSpan,
    Transport,
)
from tests.support.receivers.otlp_receiver import OtlpReceiver
from tests.support.rigs.deliverer import Deliverer
from tests.support.rigs.logging_rig import LoggingRig

SECONDS = 20.0
TRANSPORTS: tuple[Transport, ...] = ("grpc", "http/protobuf")
by_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
def rig(own_environment: Path) -> Iterator[LoggingRig]:
    """A ring that is recorded into."""
    with LoggingRig(own_environment, window_bytes="4MiB") as rig:
        yield rig


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver of everything."""
    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(tmp_path / "spool", 1 << 30, 100)


def log_in_spans(rig: LoggingRig, number: int, first: int = 0) -> None:
    """Log so many records, each in a span of its own."""
    for position in range(first, first + number):
        with rig.tracer.start_as_current_span(f"GET /{position}"):
            rig.logger.warning("record %d", position)


def add_incident(rig: LoggingRig, spool: Spool, **manifest: Any) -> SpoolEntry:
    """Put an incident of everything recorded so far into the spool, the last span its trigger."""
    return spool.add(incident_of(rig, causes=[cause_of(rig.ended.spans[-1])], **manifest))


def started(spool: Spool, **settings: Any) -> Deliverer:
    """Return what that has done what it can."""
    usual = {"flush_cpu_share": 1.0, "protocol": "http/protobuf"}
    deliverer = Deliverer(spool, Settings(**{**usual, **settings}), Guard())
    deliverer.worker.start()
    assert deliverer.worker.wait_idle(Deadline.after(SECONDS))
    return deliverer


def deliver(spool: Spool, **settings: Any) -> Deliverer:
    """Do what a process does that finds the spool; return it, stopped."""
    deliverer = started(spool, **settings)
    assert deliverer.worker.stop(Deadline.after(SECONDS))
    return deliverer


def bodies(receiver: OtlpReceiver) -> list[str]:
    """Return the messages that arrived."""
    return [item.record.body.string_value for item in receiver.logs()]


def attributes(item: ReceivedLog) -> dict[str, Any]:
    """Return a record's attributes, whatever kind their values are."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value") or "")
        for each in item.record.attributes
    }


def is_ours(item: ReceivedSpan) -> bool:
    """Tell whether the recorder made the span itself."""
    return any(each.key == "flight_recorder.kind" for each in item.span.attributes)


@by_transport
def test_a_record_arrives_as_it_was_logged(
    rig: LoggingRig, receiver: OtlpReceiver, spool: Spool, transport: Transport
) -> None:
    """With its ids, time, severity, message, exception, logger and resource."""
    with rig.tracer.start_as_current_span("GET /") as span:
        try:
            dict[str, int]()["x"]
        except KeyError:
            rig.logger.exception("no order %d", 7)
    rig.logger.log(logging.CRITICAL, "outside")
    add_incident(rig, spool)
    endpoint = receiver.endpoint(transport)

    deliver(spool, export="json", logs_endpoint=endpoint, protocol=transport)

    first, second = receiver.logs()
    assert isinstance(span, ReadableSpan)
    context = span.get_span_context()
    assert first.record.trace_id == context.trace_id.to_bytes(16, "big")
    assert first.record.span_id == context.span_id.to_bytes(8, "big")
    assert (span.start_time or 0) - 1000 <= first.record.time_unix_nano <= (span.end_time or 0)
    assert (first.record.severity_text, first.record.severity_number) == ("ERROR", 17)
    assert first.record.body.string_value == "no order 7"
    assert first.scope.name == "shop.orders"
    names = {each.key: each.value.string_value for each in first.resource.attributes}
    assert names == {"service.name": "rig", "host.name": "web-1"}
    said = attributes(first)
    assert said.pop("exception.stacktrace").endswith("\nKeyError: 'x'")
    assert said == {
        "exception.type": "KeyError",
        "exception.message": "'x'",
        "code.function.name": "test_a_record_arrives_as_it_was_logged",
        "code.file.path": __file__,
        "code.line.number": said["code.line.number"],
        "thread.id": said["thread.id"],
        "flight_recorder.incident.id": INCIDENT_ID,
        "flight_recorder.incident.reason": "error span",
    }
    assert (second.record.trace_id, second.record.span_id) == (b"", b"")
    assert second.record.severity_number == 21
    assert {request.signal for request in receiver.requests} == {"logs"}


@by_transport
def test_spans_and_records_each_arrive_once(
    rig: LoggingRig, receiver: OtlpReceiver, spool: Spool, transport: Transport
) -> None:
    """Spans have their records as events as well; a second process sends nothing."""
    log_in_spans(rig, 3 * MOST_RECORDS + 1)
    add_incident(rig, spool)
    endpoint = receiver.endpoint(transport)
    settings = {"endpoint": endpoint, "logs_endpoint": endpoint, "protocol": transport}

    deliverer = deliver(spool, **settings)
    requests = len(receiver.requests)
    deliver(spool, **settings)

    expected = [f"record {number}" for number in range(3 * MOST_RECORDS + 1)]
    assert bodies(receiver) == expected
    events = [event for item in receiver.spans() for event in item.span.events]
    assert Counter(event.name for event in events)["log record"] == len(expected)
    assert len(receiver.requests) == requests
    assert deliverer.logs.statistics.delivered_spans == len(expected)
    assert deliverer.logs.statistics.delivered_incidents == 1


def test_without_a_logs_endpoint_none_go_out(
    rig: LoggingRig, receiver: OtlpReceiver, spool: Spool
) -> None:
    """They are events of their spans, and that is all; nor with delivery turned off."""
    log_in_spans(rig, 3)
    add_incident(rig, spool)

    deliver(spool, endpoint=receiver.http_endpoint)
    deliver(spool, export="off", logs_endpoint=receiver.http_endpoint)

    assert receiver.logs() == []
    assert len(receiver.spans()) > 3


def test_records_that_cannot_be_delivered_hold_up_no_spans(
    rig: LoggingRig, receiver: OtlpReceiver, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans of this incident and the next arrive; the records do when their receiver is back."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1")
    log_in_spans(rig, 3)
    first = add_incident(rig, spool)
    with OtlpReceiver() as logs:
        logs.judge_by(lambda request: UNAUTHENTICATED)
        service = started(spool, endpoint=receiver.http_endpoint, logs_endpoint=logs.http_endpoint)
        assert {item.span.name for item in receiver.spans()} >= {f"GET /{n}" for n in range(3)}
        assert spool.find(first.incident_id).state.delivered
        assert not spool.of(LOGS_STATE_SUFFIX).find(first.incident_id).state.delivered

        log_in_spans(rig, 1, first=3)
        second = add_incident(
            rig,
            spool,
            incident_id="20260101-110000-3f9a1c",
            exported_to=records_so_far(first),
        )
        service.worker.wake()
        assert service.worker.wait_idle(Deadline.after(SECONDS))
        assert spool.find(second.incident_id).state.delivered
        logs.judge_by(lambda request: None)
        service.worker.wake()
        assert service.worker.wait_idle(Deadline.after(SECONDS))
        assert service.worker.stop(Deadline.after(SECONDS))

        assert sorted(bodies(logs)) == [f"record {number}" for number in range(4)]
    names = Counter(item.span.name for item in receiver.spans() if not is_ours(item))
    assert [names[f"GET /{number}"] for number in range(4)] == [1, 1, 1, 1]
    assert service.spans.statistics.failed_attempts == 0
    assert service.logs.statistics.failed_attempts >= 1


def records_so_far(entry: SpoolEntry) -> dict[str, int]:
    """Return how far the records of an incident go, by lane, as the next one has to know it."""
    window = read_incident(entry.path).window
    return {
        str(lane): 1 + max(item.number for item in window.records(lane))
        for lane in (LANE_SPANS, LANE_RUNTIME)
    }


def test_no_record_goes_out_twice_when_it_is_interrupted(
    rig: LoggingRig, receiver: OtlpReceiver, spool: Spool
) -> None:
    """What was taken is noted after each request; the next process goes on from there."""
    log_in_spans(rig, 4 * MOST_RECORDS)
    entry = add_incident(rig, spool)
    taken = iter([None, None])
    receiver.judge_by(lambda request: next(taken, UNAUTHENTICATED))
    settings = {"export": "json", "logs_endpoint": receiver.http_endpoint}

    deliver(spool, **settings)
    state = spool.of(LOGS_STATE_SUFFIX).find(entry.incident_id).state
    receiver.judge_by(lambda request: None)
    deliver(spool, **settings)

    assert (state.chunks, state.delivered) == (2, False)
    assert bodies(receiver) == [f"record {number}" for number in range(4 * MOST_RECORDS)]


def test_a_receiver_that_takes_less_gets_less_at_a_time(rig: LoggingRig, spool: Spool) -> None:
    """A request that is too large for it goes out in parts."""
    for number in range(40):
        rig.logger.warning("%d %s", number, "x" * 3000)
    with rig.tracer.start_as_current_span("GET /"):
        pass
    add_incident(rig, spool)

    with OtlpReceiver(max_request_bytes=32 * 1024) as receiver:
        deliver(spool, export="json", logs_endpoint=receiver.http_endpoint)

        assert [body.split()[0] for body in bodies(receiver)] == [str(n) for n in range(40)]
        assert len(receiver.requests) > 4


def test_the_tail_of_one_incident_is_not_sent_with_the_next(
    rig: LoggingRig, receiver: OtlpReceiver, spool: Spool
) -> None:
    """Two windows overlap; each record goes out with the first incident that has it."""
    log_in_spans(rig, 3)
    first = add_incident(rig, spool)
    log_in_spans(rig, 2, first=3)
    add_incident(
        rig,
        spool,
        incident_id="20260101-110000-3f9a1c",
        exported_to=records_so_far(first),
    )

    deliver(spool, export="json", logs_endpoint=receiver.http_endpoint)

    assert sorted(bodies(receiver)) == [f"record {number}" for number in range(5)]


def test_an_endpoint_where_nobody_listens(
    rig: LoggingRig, receiver: OtlpReceiver, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    """Is said once, in words, and the spans are there."""
    log_in_spans(rig, 1)
    entry = add_incident(rig, spool)
    endpoint = f"http://127.0.0.1:{free_port()}"

    deliverer = Deliverer(
        spool,
        Settings(endpoint=receiver.http_endpoint, logs_endpoint=endpoint, protocol="http/protobuf"),
        Guard(),
    )
    deliverer.worker.start()
    receiver.wait_for(lambda: any(item.span.name == "GET /0" for item in receiver.spans()))
    deliverer.worker.stop(Deadline.after(1.0))

    assert deliverer.worker.stop(Deadline.after(SECONDS))
    warnings = [record.getMessage() for record in caplog.records if record.name == "otel_flight"]
    assert len(warnings) <= 1
    assert spool.find(entry.incident_id).state.delivered
    if warnings:
        assert warnings[0].startswith(
            f"otel-flight could not deliver the log records of incident {entry.incident_id} to "
        )


def test_an_incident_without_records_needs_no_request(
    rig: LoggingRig, receiver: OtlpReceiver, spool: Spool
) -> None:
    """It is done with at once."""
    with rig.tracer.start_as_current_span("GET /"):
        pass
    entry = add_incident(rig, spool)
    receiver.judge_by(lambda request: UNAVAILABLE)

    deliver(spool, export="json", logs_endpoint=receiver.http_endpoint)

    assert spool.of(LOGS_STATE_SUFFIX).find(entry.incident_id).state.delivered
    assert receiver.refused == []
