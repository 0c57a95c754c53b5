"""Light spans for the SDK's processors that export: as spans of the SDK, which read the same."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan


def export(span: Any) -> None:
    """Give a sampled span that ended to the SDK's processors, as a span of the SDK."""
    own, shape = span._own, span._shape
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
    for each in shape.exporting:
        each.on_end(readable)
