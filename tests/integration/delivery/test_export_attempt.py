"""What an attempt to export says of the receiver, through the official exporters themselves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_flight.assembly import Settings
from otel_flight.delivery.chunks import SpanChunk
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import Attempt, Exporter, attempt_export
from otel_flight.delivery.receiver.exporters import build_exporter
from otel_flight.delivery.receiver.signals import SPANS
from otel_flight.ground.clock import monotonic_ns
from tests.support.processes.service_process import free_port
from tests.support.receivers.otlp_messages import (
    BAD_REQUEST,
    THROTTLED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    PartialSuccess,
    Transport,
)
from tests.support.receivers.otlp_receiver import OtlpReceiver

TRANSPORTS: tuple[Transport, ...] = ("grpc", "http/protobuf")
by_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver with nothing special about it."""
    with OtlpReceiver() as running:
        yield running


def chunk_of(count: int, text: str = "") -> SpanChunk:
    """Return a chunk of so many spans with a text each."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    spans = []
    for _ in range(count):
        span = tracer.start_span("work", attributes={"text": text})
        span.end()
        assert isinstance(span, ReadableSpan)
        spans.append(span)
    return SpanChunk(lambda span: span, spans, Pacer(1.0))


def exporter_to(endpoint: str, transport: Transport, timeout_seconds: float = 5) -> Exporter:
    """Return the official exporter for the transport."""
    return build_exporter(SPANS, Settings(endpoint=endpoint, protocol=transport), timeout_seconds)


def attempt(endpoint: str, transport: Transport, chunk: SpanChunk, seconds: float = 5) -> Attempt:
    """Send a chunk with an exporter of its own."""
    exporter = exporter_to(endpoint, transport, seconds)
    try:
        return attempt_export(exporter, chunk)
    finally:
        exporter.shutdown()


@by_transport
def test_a_success_is_a_success(receiver: OtlpReceiver, transport: Transport) -> None:
    """Nothing failed, nothing was rejected or repeated."""
    assert attempt(receiver.endpoint(transport), transport, chunk_of(3)) == Attempt()
    assert len(receiver.spans()) == 3


@by_transport
def test_rejected_spans_are_counted(receiver: OtlpReceiver, transport: Transport) -> None:
    """The exporters call a partial success a success; how many spans it cost is known here."""
    receiver.accept_next_in_part(PartialSuccess(rejected_spans=2, error_message="too old"))

    result = attempt(receiver.endpoint(transport), transport, chunk_of(3))

    assert (result.failure, result.rejected_spans) == ("", 2)
    assert result.answer.rejection == "too old"


@by_transport
def test_no_more_is_rejected_than_was_sent(receiver: OtlpReceiver, transport: Transport) -> None:
    """Whatever the receiver says."""
    receiver.accept_next_in_part(PartialSuccess(rejected_spans=1000))

    result = attempt(receiver.endpoint(transport), transport, chunk_of(3))

    assert result.rejected_spans == 3


@by_transport
def test_a_request_that_is_too_large_is_told_at_once(transport: Transport) -> None:
    """The exporter does not send it again and again; by gRPC it would, as the code may pass."""
    with OtlpReceiver(max_request_bytes=10_000) as receiver:
        started_ns = monotonic_ns()
        result = attempt(receiver.endpoint(transport), transport, chunk_of(3, "x" * 5000), 30)
        seconds = (monotonic_ns() - started_ns) / 1e9

    assert result.answer.is_too_large
    assert not result.may_have_arrived
    assert "413" in result.failure or "larger than max" in result.failure
    assert seconds < 5


@by_transport
@pytest.mark.parametrize("refusal", [BAD_REQUEST, UNAUTHENTICATED])
def test_a_refusal_is_told_in_the_receivers_words(
    receiver: OtlpReceiver, transport: Transport, refusal: Any
) -> None:
    """And it is certain that nothing has arrived."""
    receiver.refuse_next(1, refusal)

    result = attempt(receiver.endpoint(transport), transport, chunk_of(3))

    word = refusal.grpc_code if transport == "grpc" else str(refusal.http_status)
    assert result.failure.startswith(word)
    assert result.answer.is_invalid == (refusal is BAD_REQUEST)
    assert not result.may_have_arrived


@by_transport
def test_an_exporter_can_be_used_again(receiver: OtlpReceiver, transport: Transport) -> None:
    """Nothing of one attempt is left in it for the next."""
    exporter: Any = exporter_to(receiver.endpoint(transport), transport)
    before = dict(vars(exporter))
    receiver.refuse_next(1, BAD_REQUEST)

    failed = attempt_export(exporter, chunk_of(1))
    after = dict(vars(exporter))
    succeeded = attempt_export(exporter, chunk_of(1))

    assert failed.failure
    assert succeeded == Attempt()
    assert {key: value for key, value in after.items() if before.get(key) is not value} == {}
    exporter.shutdown()


def test_what_the_exporter_repeats_after_a_refusal_is_no_repetition(
    receiver: OtlpReceiver,
) -> None:
    """The receiver has said that it did not take the first one."""
    receiver.refuse_next(1, UNAVAILABLE)

    result = attempt(receiver.grpc_endpoint, "grpc", chunk_of(1), 10)

    assert result == Attempt()
    assert len(receiver.refused) == 1


@by_transport
def test_a_receiver_that_needs_time_says_how_much(
    receiver: OtlpReceiver, transport: Transport
) -> None:
    """What it asked for last is known when the exporter has given up."""
    receiver.refuse_next(100, THROTTLED)

    result = attempt(receiver.endpoint(transport), transport, chunk_of(1), 1)

    assert result.failure
    assert result.answer.retry_after_seconds == 1.0


@by_transport
def test_nobody_there_is_certain(transport: Transport) -> None:
    """What got no connection cannot have arrived."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        result = attempt(endpoint, transport, chunk_of(1), 1)

    assert "refused" in result.failure
    assert not result.may_have_arrived
    assert result.repeats == 0


@by_transport
def test_an_answer_that_does_not_come_is_uncertain(
    receiver: OtlpReceiver, transport: Transport
) -> None:
    """The receiver may have taken it."""
    receiver.hold()

    result = attempt(receiver.endpoint(transport), transport, chunk_of(1), 1)

    assert result.failure
    assert result.may_have_arrived
    receiver.release()


def test_a_repetition_of_the_exporters_own_is_counted(receiver: OtlpReceiver) -> None:
    """It sends a request again when the connection broke, and that may have arrived."""
    exporter: Any = exporter_to(receiver.http_endpoint, "http/protobuf", 10)
    session = getattr(exporter, "_session", None) or exporter._client._transport._session
    send = session.send
    sent: list[int] = []

    def lose_first_answer(request: Any, **options: Any) -> Any:
        response = send(request, **options)
        sent.append(response.status_code)
        if len(sent) == 1:
            raise requests.exceptions.ConnectionError("reset by peer")
        return response

    session.send = lose_first_answer
    result = attempt_export(exporter, chunk_of(1))

    assert session.send is lose_first_answer
    assert result == Attempt(repeats=1)
    assert len(receiver.spans()) == 2
    exporter.shutdown()


def test_what_cannot_have_arrived_is_no_repetition() -> None:
    """When the receiver is gone at the second time, only the first may be there."""
    exporter: Any = exporter_to(f"http://127.0.0.1:{free_port()}", "http/protobuf", 2)
    session = getattr(exporter, "_session", None) or exporter._client._transport._session
    send = session.send
    sent: list[int] = []

    def lose_first_answer(request: Any, **options: Any) -> Any:
        sent.append(1)
        if len(sent) == 1:
            raise requests.exceptions.ConnectionError("reset by peer")
        return send(request, **options)

    session.send = lose_first_answer
    result = attempt_export(exporter, chunk_of(1))

    assert len(sent) > 1
    assert (result.may_have_arrived, result.repeats) == (True, 0)
    exporter.shutdown()


def test_an_exporter_of_an_unknown_kind_works_as_ever() -> None:
    """Its answers are not known: a success is one, and a failure is uncertain."""
    exporter = InMemorySpanExporter()

    taken = attempt_export(exporter, chunk_of(2))
    exporter.shutdown()
    refused = attempt_export(exporter, chunk_of(2))

    assert taken == Attempt()
    assert refused.may_have_arrived
    assert "without a reason" in refused.failure
