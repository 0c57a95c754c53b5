"""What a tracer provider of the SDK is made of, where the SDK has no public name for it.

An SDK that keeps these parts elsewhere is one whose pipeline looks empty here; nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def tracers_of(provider: TracerProvider) -> list[Any]:
    """Return the tracers that a provider has made; none for SDKs before 1.39, which forget them."""
    return list(getattr(provider, "_tracers", {}).values())
