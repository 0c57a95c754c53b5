"""A witness of every span a program makes, to compare with what a backend holds of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider

import otel_flight
from otel_flight.recording.light.light_span import LightSpan


class Witness:
    """Keeps every recorded span as the SDK itself would have exported it, sampled or not.

    It stands at the recorder's own processor: others are not shown what the sampler dropped.

    Args:
        provider: a recorder is installed in it.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._open: dict[int, Span] = {}
        self._ended: list[ReadableSpan] = []
        (processor,) = (
            each
            for each in provider._active_span_processor._span_processors
            if isinstance(each, otel_flight.FlightSpanProcessor)
        )
        self._record_start, self._record_end = processor.on_start, processor.on_end
        self._record_light_end = processor.on_light_end
        vars(processor).update(
            on_start=self.on_start, on_end=self.on_end, on_light_end=self.on_light_end
        )

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        """Note the span as open."""
        self._record_start(span, parent_context)
        self._open[span.get_span_context().span_id] = span

    def on_end(self, span: ReadableSpan) -> None:
        """Keep the span as it ended."""
        self._record_end(span)
        self._keep(span)

    def on_light_end(self, span: LightSpan) -> None:
        """Keep a light span as it ended, if that was not the end of a span like the SDK's."""
        self._record_light_end(span)
        if span.get_span_context().span_id in self._open:
            self._keep(span)

    def _keep(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        assert context is not None
        del self._open[context.span_id]
        self._ended.append(span)

    def write_to(self, folder: Path) -> None:
        """Write down what happened so far."""
        for name, spans in (("ended", self._ended), ("open", list(self._open.values()))):
            message = encode_spans(spans)
            (folder / f"{name}.binpb").write_bytes(message.SerializeToString())
