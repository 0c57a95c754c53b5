"""Whether someone else exports what is sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_flight.recording.exporting_pipeline import is_exporting


class Backend(SpanExporter):
    """An exporter that sends spans somewhere."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them."""
        return SpanExportResult.SUCCESS


class Ours(Backend):
    """An exporter that only stands for the recorder."""

    is_flight_recorder = True


@contextmanager
def pipeline(*processors: SpanProcessor) -> Iterator[Any]:
    """The pipeline of a provider with these processors."""
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    yield provider._active_span_processor
    provider.shutdown()


@pytest.mark.parametrize("kind", [SimpleSpanProcessor, BatchSpanProcessor])
def test_an_exporter_to_a_backend_counts(kind: Any) -> None:
    """Whatever processor feeds it."""
    with pipeline(SpanProcessor(), kind(Backend())) as found:
        assert is_exporting(found)


@pytest.mark.parametrize("kind", [SimpleSpanProcessor, BatchSpanProcessor])
@pytest.mark.parametrize("exporter", [ConsoleSpanExporter, InMemorySpanExporter, Ours])
def test_what_is_no_backend_does_not_count(kind: Any, exporter: Any) -> None:
    """Nobody finds the spans there later; and we are no reason to leave spans out ourselves."""
    with pipeline(kind(exporter())) as found:
        assert not is_exporting(found)


@pytest.mark.parametrize("outer", [SynchronousMultiSpanProcessor, ConcurrentMultiSpanProcessor])
def test_pipelines_in_pipelines_are_looked_into(outer: Any) -> None:
    """Processors may be grouped."""
    group = outer()
    group.add_span_processor(SimpleSpanProcessor(Backend()))
    with pipeline(SpanProcessor(), group) as found:
        assert is_exporting(found)


def test_without_processors_nobody_exports() -> None:
    """Nor without a pipeline, which is not known before the first span."""
    assert not is_exporting(None)
    assert not is_exporting(object())
    with pipeline() as found:
        assert not is_exporting(found)
