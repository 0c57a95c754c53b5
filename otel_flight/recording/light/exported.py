"""Light spans for the SDK's processors that export: as spans of the SDK, which read the same."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

PROCESSORS: Final = "_span_processors"
"""The SDK's pipeline has its processors by this name."""


def export(span: Any) -> None:
    """Give a sampled span that ended to the SDK's processors, as a span of the SDK."""
    shape = span._shape
    exporting = shape.exporting
    if shape.of_pipeline[PROCESSORS] is not shape.processors:
        exporting = _later_processors(span)
    own = span._own
    if own is None:
        readable = span._readable_span()
    else:
        attributes = shape.bounded(None)
        attributes._dict = own
        attributes._immutable = True
        readable = ReadableSpan(
            name=span._name,
            context=span._context,
            parent=span._parent,
            resource=span._resource,
            attributes=attributes,
            events=shape.no_events,
            links=shape.no_links,
            kind=span._kind,
            instrumentation_info=shape.info,
            status=span._status,
            start_time=span._start_time,
            end_time=span._end_time,
            instrumentation_scope=span._instrumentation_scope,
        )
    for each in exporting:
        each.on_end(readable)


def _later_processors(span: Any) -> list[Any]:
    """Return all processors that there are now, of which some came after the span had started.

    The SDK asks the pipeline when a span ends, and shows it to a few before it can be read only.
    """
    ours = span._shape.recorder
    others = [each for each in span._shape.of_pipeline[PROCESSORS] if each is not ours]
    for each in others:
        before_end = getattr(each, "_on_ending", None)
        if before_end is not None:
            before_end(span)
    return others
