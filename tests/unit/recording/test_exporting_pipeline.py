"""Whether someone else has surely exported what is sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from otel_flight.interpreter.sdk.pipeline import Queue, queue_of
from otel_flight.recording.exporting_pipeline import ExportWatch, exporters_of
from otel_flight.testing import FakeClock

PROCESSORS = (SimpleSpanProcessor, BatchSpanProcessor)
by_processor = pytest.mark.parametrize("kind", PROCESSORS)


class Backend(SpanExporter):
    """An exporter that sends spans somewhere."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them."""
        return SpanExportResult.SUCCESS


class Elsewhere(Backend):
    """An exporter that sends them to another place."""


@contextmanager
def pipeline(*processors: SpanProcessor) -> Iterator[Any]:
    """The pipeline of a provider with these processors."""
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    yield provider._active_span_processor
    provider.shutdown()


class Watch:
    """A watch over some pipelines, and how many spans ended in them."""

    def __init__(self, *pipelines: object) -> None:
        self.clock = FakeClock()
        self.pipelines = list(pipelines)
        self.ended = 0
        self.watch = ExportWatch(
            lambda: self.pipelines,
            lambda exporter: type(exporter) is Backend,
            lambda: self.ended,
            self.clock,
        )
        self.start_ns = self.clock.wall_ns()

    def has_taken_all(self) -> bool:
        """Tell whether all spans since the beginning were surely taken."""
        self.clock.advance(1)
        return self.watch.has_taken_all(self.start_ns)


@by_processor
def test_the_sdks_own_processors_take_all(kind: Any) -> None:
    """Beside others, and in groups."""
    with pipeline(SpanProcessor(), kind(Backend())) as found:
        assert Watch(found).has_taken_all()
    groups: tuple[Any, ...] = (SynchronousMultiSpanProcessor, ConcurrentMultiSpanProcessor)
    for outer in (make() for make in groups):
        outer.add_span_processor(kind(Backend()))
        with pipeline(outer) as found:
            assert Watch(found).has_taken_all()


def changed(processor: Any) -> Any:
    """Return a processor of which somebody has replaced the method."""
    processor.on_end = lambda span: None
    return processor


@by_processor
@pytest.mark.parametrize(
    "make",
    [
        lambda kind: type("ErrorsOnly", (kind,), {"on_end": lambda self, span: None})(Backend()),
        lambda kind: kind(Elsewhere()),
        lambda kind: changed(kind(Backend())),
        lambda kind: SpanProcessor(),
    ],
    ids=["subclass", "elsewhere", "changed", "none"],
)
def test_others_are_not_believed(kind: Any, make: Callable[[Any], Any]) -> None:
    """Nobody knows what they leave out, or where the rest goes."""
    with pipeline(make(kind)) as found:
        assert not Watch(found).has_taken_all()


def test_all_pipelines_have_to_export() -> None:
    """Or else the spans of one of them are nowhere."""
    with pipeline(SimpleSpanProcessor(Backend())) as first, pipeline() as second:
        assert Watch(first, first).has_taken_all()
        assert not Watch(first, second).has_taken_all()
        assert not Watch(first, None).has_taken_all()
        assert not Watch(first, object()).has_taken_all()
        assert not Watch().has_taken_all()


def test_a_doubt_lasts_as_long_as_its_spans_are_looked_for() -> None:
    """What came after it is not in doubt."""
    with pipeline(SimpleSpanProcessor(Backend())) as found:
        watch = Watch(None)
        watch.watch.look()
        watch.pipelines = [found]

        assert not watch.has_taken_all()
        watch.start_ns = watch.clock.wall_ns()
        assert watch.has_taken_all()


def test_a_queue_that_may_have_been_full_is_in_doubt() -> None:
    """Also where it is empty again when it is looked at."""
    processor = BatchSpanProcessor(Backend(), max_queue_size=100, max_export_batch_size=100)
    with pipeline(processor) as found:
        watch = Watch(found)
        for _ in range(5):
            watch.ended += 99
            assert watch.has_taken_all()

        watch.ended += 100
        assert not watch.has_taken_all()


def test_what_waits_in_the_queue_counts() -> None:
    """There is so much less room in it."""
    processor = BatchSpanProcessor(
        Backend(), max_queue_size=100, max_export_batch_size=100, schedule_delay_millis=3_600_000
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    watch = Watch(provider._active_span_processor)
    for _ in range(60):
        provider.get_tracer("test").start_span("work").end()
    watch.ended = 60

    assert queue_of(processor) == Queue(60, 100)
    assert watch.has_taken_all()
    watch.ended += 39
    assert watch.has_taken_all()
    watch.ended += 40
    assert not watch.has_taken_all()
    provider.shutdown()


def test_a_processor_without_a_queue_has_none() -> None:
    """As one of an SDK that keeps it elsewhere."""
    assert queue_of(SimpleSpanProcessor(Backend())) is None


def test_all_exporters_can_be_asked() -> None:
    """Also those behind processors that are not believed."""
    group = ConcurrentMultiSpanProcessor()
    group.add_span_processor(SimpleSpanProcessor(Elsewhere()))
    subclass: Any = type("ErrorsOnly", (SimpleSpanProcessor,), {})
    with pipeline(SpanProcessor(), group, subclass(Backend())) as found:
        assert [type(each) for each in exporters_of(found)] == [Elsewhere, Backend]
    assert list(exporters_of(None)) == []
