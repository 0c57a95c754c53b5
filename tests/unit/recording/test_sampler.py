"""The sampler: everything is recorded, and nothing else changes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from otel_flight.recording.sampler import FlightSampler
from tests.support.rigs.recording_rig import EndedSpans


class CountingIds(IdGenerator):
    """Ids that are the same in each run, spread over the range that ratios look at."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def generate_span_id(self) -> int:
        """Return the next id."""
        return next(self._numbers)

    def generate_trace_id(self) -> int:
        """Return an id whose low bits are anywhere."""
        return (next(self._numbers) * 0x9E3779B97F4A7C15) % (1 << 64) | 1 << 100


class Picky(Sampler):
    """Drops by name, adds an attribute and a trace state, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def should_sample(  # noqa: PLR0917
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Drop what is called so."""
        self.asked.append((parent_context, trace_id, name, kind, attributes, links, trace_state))
        decision = Decision.DROP if name == "drop" else Decision.RECORD_AND_SAMPLE
        return SamplingResult(decision, {"rate": 0.5}, TraceState([("vendor", "1")]))

    def get_description(self) -> str:
        """Return a name."""
        return "Picky"


class Service:
    """A little service with an exporter, and what it did."""

    def __init__(self, sampler: Sampler) -> None:
        self.exporter = InMemorySpanExporter()
        self.ended = EndedSpans()
        self.headers: list[dict[str, str]] = []
        self.provider = TracerProvider(
            sampler=sampler, id_generator=CountingIds(), shutdown_on_exit=False
        )
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.provider.add_span_processor(self.ended)
        self.tracer = self.provider.get_tracer("service")

    def serve(self) -> None:
        """Serve requests with and without a caller, sampled there or not."""
        for number in range(60):
            flags = TraceFlags(number % 2)
            caller = SpanContext(1 << 90 | number, 7, True, flags, TraceState([("caller", "x")]))
            context = trace.set_span_in_context(NonRecordingSpan(caller)) if number % 3 else None
            attributes: Any = {"number": number}
            with self.tracer.start_as_current_span("request", context, attributes=attributes):
                with self.tracer.start_as_current_span("query"):
                    headers: dict[str, str] = {}
                    TraceContextTextMapPropagator().inject(headers)
                    self.headers.append(headers)
                self.tracer.start_span("drop", attributes={"a": 1}).end()


@pytest.mark.parametrize(
    "sampler",
    [
        ALWAYS_ON,
        ALWAYS_OFF,
        TraceIdRatioBased(0.3),
        ParentBased(TraceIdRatioBased(0.3)),
        Picky(),
        StaticSampler(Decision.RECORD_ONLY),
    ],
    ids=["on", "off", "ratio", "parent", "picky", "record-only"],
)
def test_what_is_exported_and_propagated_stays_as_it_was(sampler: Sampler) -> None:
    """The same spans are exported, with the same content, and the same headers go out."""
    without, within = Service(sampler), Service(FlightSampler(sampler))

    without.serve()
    within.serve()

    def exported(service: Service) -> list[Any]:
        return [
            (span.name, span.get_span_context(), span.parent, dict(span.attributes or {}))
            for span in service.exporter.get_finished_spans()
        ]

    assert exported(within) == exported(without)
    assert within.headers == without.headers
    assert len(within.ended.spans) == 180


def test_dropped_spans_keep_what_they_were_created_with() -> None:
    """Attributes of the creation, and those that the sampler adds, are recorded."""
    service = Service(FlightSampler(Picky()))
    service.tracer.start_span("drop", attributes={"route": "/", "rate": "mine"}).end()

    (span,) = service.ended.spans
    assert span.attributes == {"route": "/", "rate": 0.5}
    context = span.get_span_context()
    assert context is not None
    assert not context.trace_flags.sampled
    assert context.trace_state == TraceState([("vendor", "1")])


def test_the_wrapped_sampler_is_asked_as_before() -> None:
    """Every argument reaches it."""
    picky = Picky()
    arguments = (
        Context(),
        5,
        "drop",
        SpanKind.SERVER,
        {"a": 1},
        [Link(SpanContext(1, 2, False))],
        TraceState([("a", "b")]),
    )

    FlightSampler(picky).should_sample(*arguments)

    assert picky.asked == [arguments]


def test_a_result_that_records_is_passed_on() -> None:
    """It is the wrapped sampler's own object."""
    sampler = StaticSampler(Decision.RECORD_AND_SAMPLE)
    result = FlightSampler(sampler).should_sample(None, 1, "name", attributes={"a": 1})

    assert result.decision is Decision.RECORD_AND_SAMPLE
    assert result.attributes == {"a": 1}


@pytest.mark.parametrize("attributes", [[("a", 1)], "text", 5])
def test_attributes_that_are_no_mapping_do_not_raise(attributes: Any) -> None:
    """Of a dropped span nobody looked at them before, and the host must not fail now."""
    result = FlightSampler(ALWAYS_OFF).should_sample(None, 1, "name", attributes=attributes)

    assert result.decision is Decision.DROP


def test_an_error_of_the_wrapped_sampler_is_the_hosts() -> None:
    """Without us it would have been raised as well."""

    class Failing(Picky):
        def should_sample(self, *arguments: Any, **options: Any) -> SamplingResult:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        FlightSampler(Failing()).should_sample(None, 1, "name")


def test_the_description_names_both() -> None:
    """Both are seen wherever the SDK shows its sampler."""
    assert FlightSampler(ALWAYS_OFF).get_description() == "FlightSampler{AlwaysOffSampler}"
