"""Keep a provider's other span processors from seeing what is recorded because of us.

Many processors never look at the sampled flag: they would export, and bill, every span that the
sampler had dropped. And a processor that redacts, added after ours, must come before it.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, SynchronousMultiSpanProcessor

from otel_flight.ground.native import get_ident
from otel_flight.interpreter.sdk.pipeline import remove_processors
from otel_flight.recording.sampler import FlightSampler
from otel_flight.recording.span_processor import RecordingSpanProcessor


class PipelineShield:
    """Calls all processors of one pipeline: ours last, and alone for spans that we had recorded.

    It stands in the way of the pipeline's own methods, on that one object.

    Args:
        pipeline: what a provider's tracers call with each span; of the SDK's ordinary kind.
        processor: ours, which is registered with it already.
        sampler: marks the spans that are recorded because of us.
    """

    methods: tuple[str, ...] = ("on_start", "on_end")

    def __init__(
        self, pipeline: Any, processor: RecordingSpanProcessor, sampler: FlightSampler
    ) -> None:
        self._pipeline = pipeline
        self._processor = processor
        self._sampler = sampler

    def install(self) -> None:
        """Take over the calls of the pipeline."""
        self._processor.pipeline = self._pipeline
        self._sampler.forced = {}
        for name in self.methods:
            setattr(self._pipeline, name, getattr(self, name))

    def remove(self) -> None:
        """Give the pipeline its own methods back, unless someone replaced them since."""
        self._sampler.forced = None
        for name in self.methods:
            if vars(self._pipeline).get(name) == getattr(self, name):
                delattr(self._pipeline, name)

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Show a span that started to all, or to ours alone."""
        processor = self._processor
        if not (self._sampler.forced and self._is_ours(span)):
            for each in self._pipeline._span_processors:
                if each is not processor:
                    each.on_start(span, parent_context=parent_context)
        processor.on_start(span, parent_context)

    def on_end(self, span: Any) -> None:
        """Show a span that ended to all; what another processor raises does not keep it from us."""
        processor = self._processor
        try:
            for each in self._pipeline._span_processors:
                if each is not processor:
                    each.on_end(span)
        finally:
            processor.on_end(span)

    def _is_ours(self, span: Any) -> bool:
        """Return whether a span is recorded because of us; if so, it ends with us alone as well."""
        forced = self._sampler.forced
        mark = forced.pop(get_ident(), None) if forced else None
        context = span.get_span_context()
        if mark is None or mark[0] != context.trace_id or context.trace_flags & 1:
            return False
        span._span_processor = self._processor
        if mark[1]:
            self._processor.silence(context.span_id)
        return True


class ConcurrentShield(PipelineShield):
    """The same for a pipeline that calls its processors on a pool's threads: not ours.

    On a thread of the pool, ours would take that thread for the one that serves the request.
    """

    methods = ("on_start", "on_end", "shutdown", "force_flush")

    def install(self) -> None:
        """Take over the calls of the pipeline, which calls ours no more."""
        remove_processors(self._pipeline, lambda each: each is self._processor)
        super().install()

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Show a span that started to all, or to ours alone."""
        if not (self._sampler.forced and self._is_ours(span)):
            type(self._pipeline).on_start(self._pipeline, span, parent_context=parent_context)
        self._processor.on_start(span, parent_context)

    def on_end(self, span: Any) -> None:
        """Show a span that ended to all."""
        try:
            type(self._pipeline).on_end(self._pipeline, span)
        finally:
            self._processor.on_end(span)

    def shutdown(self) -> None:
        """Shut down all."""
        try:
            type(self._pipeline).shutdown(self._pipeline)
        finally:
            self._processor.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush all; return whether all did."""
        others = type(self._pipeline).force_flush(self._pipeline, timeout_millis)
        return self._processor.force_flush(timeout_millis) and bool(others)


def shield_for(
    pipeline: Any, processor: RecordingSpanProcessor, sampler: FlightSampler
) -> PipelineShield | None:
    """Return the shield of a pipeline; None when the pipeline is not one of the SDK's own."""
    if type(pipeline) is SynchronousMultiSpanProcessor:
        return PipelineShield(pipeline, processor, sampler)
    if type(pipeline) is ConcurrentMultiSpanProcessor:
        return ConcurrentShield(pipeline, processor, sampler)
    return None
