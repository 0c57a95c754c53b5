"""What is exported and what is propagated with the recorder is what it was without."""

from __future__ import annotations

import random
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import otel_flight

PROPAGATOR = TraceContextTextMapPropagator()


class SeededIds(IdGenerator):
    """The same ids in every run."""

    def __init__(self) -> None:
        self._random = random.Random(7)

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return self._random.getrandbits(128) or 1


def serve(sampler: Sampler, *, recorded: bool) -> tuple[Sequence[ReadableSpan], list[str]]:
    """Serve 200 requests, half of them from remote callers; return exports and sent headers."""
    provider = TracerProvider(
        sampler, Resource({"service.name": "s"}), False, id_generator=SeededIds()
    )
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    if recorded:
        otel_flight.install(tracer_provider=provider)
    tracer = provider.get_tracer("service")
    sent: list[str] = []
    incoming = random.Random(3)
    for number in range(200):
        context = None
        if number % 2:
            flag = incoming.choice(["00", "01"])
            header = f"00-{incoming.getrandbits(128):032x}-{incoming.getrandbits(64):016x}-{flag}"
            context = PROPAGATOR.extract({"traceparent": header, "tracestate": "a=1"})
        span = tracer.start_span("GET /", context, attributes={"n": number}, start_time=number)
        inner_context = trace.set_span_in_context(span)
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier, inner_context)
        sent.append(repr(sorted(carrier.items())))
        tracer.start_span("query", inner_context, start_time=number).end(number + 1)
        span.end(number + 2)
    provider.shutdown()
    otel_flight.uninstall()
    return exporter.get_finished_spans(), sent


def test_exports_and_headers_are_the_same_with_and_without() -> None:
    """Under a ratio sampler the exported set, byte for byte, and all propagated headers agree."""
    sampler = ParentBased(TraceIdRatioBased(0.3))

    plain_spans, plain_sent = serve(sampler, recorded=False)
    recorded_spans, recorded_sent = serve(sampler, recorded=True)

    assert 50 < len(plain_spans) < 350
    assert encode_spans(recorded_spans) == encode_spans(plain_spans)
    assert recorded_sent == plain_sent
