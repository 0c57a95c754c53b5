"""A service without a recorder, whose own pipeline exports every span it makes."""

from __future__ import annotations

import random
from types import TracebackType
from typing import final

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Tracer


@final
class OrdinaryService:
    """Exports to some endpoints until the `with` block ends, which is when all is sent.

    Args:
        name: its `service.name`.
        endpoints: takers of OTLP over gRPC. Spans go to each of them in turn; none: nowhere.
        seed: of its ids, so that a Collector that samples by them always chooses the same.
        is_batching: sends many spans in a request; otherwise each goes as soon as it ends.
    """

    def __init__(
        self, name: str, *endpoints: str, seed: int = 1, is_batching: bool = False
    ) -> None:
        self.provider = TracerProvider(
            resource=Resource({"service.name": name, "host.name": "web-2"}),
            id_generator=_SeededIds(seed),
            shutdown_on_exit=False,
        )
        if endpoints:
            processors = [_processor(endpoint, is_batching) for endpoint in endpoints]
            self.provider.add_span_processor(_InTurn(processors))

    @property
    def tracer(self) -> Tracer:
        """What it makes spans with."""
        return self.provider.get_tracer("ordinary")

    def __enter__(self) -> OrdinaryService:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.provider.shutdown()


def _processor(endpoint: str, is_batching: bool) -> SpanProcessor:
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True)
    if is_batching:
        return BatchSpanProcessor(exporter, max_queue_size=65_536)
    return SimpleSpanProcessor(exporter)


class _SeededIds(IdGenerator):
    """Makes the ids that a seed leads to."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128)

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64)


class _InTurn(SpanProcessor):
    """Gives each span that ended to another processor than the one before."""

    def __init__(self, processors: list[SpanProcessor]) -> None:
        self._processors = processors
        self._count = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Hand the span on."""
        self._processors[self._count % len(self._processors)].on_end(span)
        self._count += 1

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is waiting."""
        return all(processor.force_flush(timeout_millis) for processor in self._processors)

    def shutdown(self) -> None:
        """Send what is left."""
        for processor in self._processors:
            processor.shutdown()
