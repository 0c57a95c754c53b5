"""What a tracer provider of the SDK is made of, where the SDK has no public name for it.

An SDK that keeps these parts elsewhere is one whose pipeline looks empty here; nothing raises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider


def pipeline_of(provider: Any) -> Any:
    """Return the object that calls all span processors of a provider; None for any other object."""
    return getattr(provider, "_active_span_processor", None)


def pipeline_of_span(span: Any) -> Any:
    """Return the object that calls all span processors for a recording span."""
    return getattr(span, "_span_processor", None)


def processors_in(pipeline: Any) -> tuple[SpanProcessor, ...]:
    """Return the span processors of a pipeline; none of what is no pipeline."""
    return tuple(getattr(pipeline, "_span_processors", ()))


def remove_processors(pipeline: Any, is_removed: Callable[[SpanProcessor], bool]) -> None:
    """Remove some of a pipeline's processors; spans that end meanwhile may still reach them."""
    if pipeline is not None:
        pipeline._span_processors = tuple(
            processor for processor in processors_in(pipeline) if not is_removed(processor)
        )


def exporter_of(processor: SpanProcessor) -> Any:
    """Return what a span processor exports with; None when it does not export."""
    exporter = getattr(processor, "span_exporter", None)
    if exporter is None:  # newer batch processors keep it in the part that all signals share
        exporter = getattr(getattr(processor, "_batch_processor", None), "_exporter", None)
    return exporter


class Queue(NamedTuple):
    """How many spans wait in a batch processor, and how many may."""

    length: int
    most: int


def queue_of(processor: SpanProcessor) -> Queue | None:
    """Return the queue of a batch processor; None: it has none where it is known to be."""
    batch = getattr(processor, "_batch_processor", None)
    if batch is None:  # in older releases
        spans, most = getattr(processor, "queue", None), getattr(processor, "max_queue_size", None)
    else:
        spans, most = getattr(batch, "_queue", None), getattr(batch, "_max_queue_size", None)
    if not isinstance(spans, deque) or not isinstance(most, int):
        return None
    return Queue(len(spans), most)


def tracers_of(provider: TracerProvider) -> list[Any]:
    """Return the tracers that a provider has made; none for SDKs before 1.39, which forget them."""
    return list(getattr(provider, "_tracers", {}).values())
