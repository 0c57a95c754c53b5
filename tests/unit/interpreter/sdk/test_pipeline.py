"""The parts of a tracer provider are where they are looked for, in every supported SDK."""

from __future__ import annotations

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider

from otel_flight.interpreter.sdk.pipeline import (
    exporter_of,
    pipeline_of,
    pipeline_of_span,
    processors_in,
    remove_processors,
)


def test_processors_and_their_exporters_are_found() -> None:
    """Of the provider and of a span that records, in the order in which they were added."""
    provider = TracerProvider(shutdown_on_exit=False)
    exporters = [InMemorySpanExporter(), InMemorySpanExporter()]
    provider.add_span_processor(SimpleSpanProcessor(exporters[0]))
    provider.add_span_processor(BatchSpanProcessor(exporters[1]))
    span = provider.get_tracer("t").start_span("work")

    pipeline = pipeline_of(provider)

    assert pipeline is not None
    assert pipeline_of_span(span) is pipeline
    assert [exporter_of(processor) for processor in processors_in(pipeline)] == exporters
    provider.shutdown()


def test_a_removed_processor_gets_no_more_spans() -> None:
    """The others go on."""
    provider = TracerProvider(shutdown_on_exit=False)
    exporters = [InMemorySpanExporter(), InMemorySpanExporter()]
    for exporter in exporters:
        provider.add_span_processor(SimpleSpanProcessor(exporter))

    remove_processors(pipeline_of(provider), lambda each: exporter_of(each) is exporters[0])
    provider.get_tracer("t").start_span("work").end()

    assert [len(exporter.get_finished_spans()) for exporter in exporters] == [0, 1]


def test_what_is_no_provider_has_no_processors() -> None:
    """Nothing raises: the recorder is then one that knows of no exporter."""
    pipeline = pipeline_of(NoOpTracerProvider())

    assert processors_in(pipeline) == ()
    assert exporter_of(object()) is None  # type: ignore[arg-type]
    remove_processors(pipeline, lambda each: True)
