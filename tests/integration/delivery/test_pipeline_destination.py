"""Incidents go where the application's own spans go, and none of these is missing there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from otel_flight import FlightRecorder, install, uninstall
from tests.support.receivers.otlp_messages import Transport
from tests.support.receivers.otlp_receiver import OtlpReceiver

TRANSPORTS: Final[tuple[Transport, ...]] = ("grpc", "http/protobuf")
by_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Where the application's spans go."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def record() -> Iterator[Callable[..., FlightRecorder]]:
    """What records a provider, and takes the recorder out again."""
    providers: list[TracerProvider] = []

    def begin(processor: Any, **settings: Any) -> FlightRecorder:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        providers.append(provider)
        recorder = install(
            tracer_provider=provider, tail_seconds=0, cooldown_seconds=0, metrics=False, **settings
        )
        assert recorder is not None
        for number in range(5):
            provider.get_tracer("shop").start_span(f"work {number}").end()
        assert recorder.trigger("looked at")
        return recorder

    yield begin
    uninstall()
    for provider in providers:
        provider.shutdown()


def exporter_in_code(receiver: OtlpReceiver, transport: Transport) -> SpanExporter:
    """Return an exporter whose destination no variable knows."""
    endpoint, headers = receiver.endpoint(transport), {"x-tenant": "shop"}
    if transport == "grpc":
        return GrpcExporter(endpoint=endpoint, headers=headers)
    return HttpExporter(endpoint=f"{endpoint}/v1/traces", headers=headers)


def names_in_the_end(receiver: OtlpReceiver, processor: Any) -> list[str]:
    """Return the names of all spans of the application, when incidents are delivered, too."""
    uninstall()
    processor.force_flush()
    names = [item.span.name for item in receiver.spans()]
    assert any(name.startswith("incident") for name in names)
    return sorted(name for name in names if name.startswith("work"))


WORK: Final = [f"work {number}" for number in range(5)]


@by_transport
def test_an_exporter_made_in_code_is_asked(
    receiver: OtlpReceiver, transport: Transport, record: Callable[..., FlightRecorder]
) -> None:
    """Incidents go there with its headers, and what it has exported is not sent again."""
    processor = BatchSpanProcessor(exporter_in_code(receiver, transport))
    record(processor)

    assert names_in_the_end(receiver, processor) == WORK
    assert {request.headers["x-tenant"] for request in receiver.requests} == {"shop"}


class ErrorsOnly(BatchSpanProcessor):
    """A processor that exports errors only, as users write them."""

    def on_end(self, span: ReadableSpan) -> None:
        """Leave all others out."""
        if not span.status.is_ok:
            super().on_end(span)


@by_transport
def test_what_a_subclass_leaves_out_is_sent(
    receiver: OtlpReceiver, transport: Transport, record: Callable[..., FlightRecorder]
) -> None:
    """Nobody but its author knows what that is."""
    processor = ErrorsOnly(exporter_in_code(receiver, transport))
    record(processor)

    assert set(names_in_the_end(receiver, processor)) == set(WORK)


def test_spans_that_went_elsewhere_are_sent(
    receiver: OtlpReceiver, record: Callable[..., FlightRecorder]
) -> None:
    """Incidents have a backend of their own."""
    with OtlpReceiver() as elsewhere:
        processor = BatchSpanProcessor(exporter_in_code(elsewhere, "grpc"))
        record(processor, endpoint=receiver.grpc_endpoint)

        assert names_in_the_end(receiver, processor) == WORK


def test_what_a_full_queue_dropped_is_sent(
    receiver: OtlpReceiver, record: Callable[..., FlightRecorder]
) -> None:
    """The SDK drops the oldest spans and says so in its log only."""
    processor = BatchSpanProcessor(
        exporter_in_code(receiver, "http/protobuf"), max_queue_size=2, max_export_batch_size=2
    )
    record(processor)

    assert set(names_in_the_end(receiver, processor)) == set(WORK)


class Unknown(SpanExporter):
    """An exporter of somebody's own."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them somewhere."""
        return SpanExportResult.SUCCESS


def test_an_exporter_that_cannot_be_asked_is_named_once(
    record: Callable[..., FlightRecorder], caplog: pytest.LogCaptureFixture
) -> None:
    """At the first span: incidents stay on this machine."""
    caplog.set_level(logging.WARNING, "otel_flight")
    told = threading.Event()

    def see(_: logging.LogRecord) -> bool:
        told.set()
        return True

    caplog.handler.addFilter(see)
    recorder = record(SimpleSpanProcessor(Unknown()))
    assert told.wait(20), "nothing was said"  # by the first tick, on a thread of the recorder's
    assert recorder.trigger("again")
    uninstall()

    messages = [each.message for each in caplog.records if "this machine" in each.message]
    assert len(messages) == 1
    assert "Unknown does not say where it sends" in messages[0]
