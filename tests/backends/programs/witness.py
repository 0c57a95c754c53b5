"""A witness of every span a program makes, to compare with what a backend holds of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor


class Witness(SpanProcessor):
    """Keeps every recorded span as the SDK itself would have exported it, sampled or not."""

    def __init__(self) -> None:
        self._open: dict[int, Span] = {}
        self._ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        """Note the span as open."""
        self._open[span.get_span_context().span_id] = span

    def on_end(self, span: ReadableSpan) -> None:
        """Keep the span as it ended."""
        context = span.get_span_context()
        assert context is not None
        del self._open[context.span_id]
        self._ended.append(span)

    def write_to(self, folder: Path) -> None:
        """Write down what happened so far."""
        for name, spans in (("ended", self._ended), ("open", list(self._open.values()))):
            message = encode_spans(spans)
            (folder / f"{name}.binpb").write_bytes(message.SerializeToString())
