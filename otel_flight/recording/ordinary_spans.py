"""How an ordinary span is given to the compiled hot path, which takes its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from otel_flight.ground.signal_errors import pass_on

WriteSpan = Callable[..., bool | None]
"""It takes a span's context, parent, resource, scope, name, kind, start time and more. It records
the span and returns True, or leaves everything as it was and returns False; None, where the span
had no room in the segment, or in a record."""

READ_BY_POSITION: Final = (
    "_current_task",
    "_now_ns",
    "_open",
    "_pid",
    "_root_end",
    "_roots",
    "_silent",
    "_write_light",
    "_write_start",
    "is_recording",
    "pipeline",
)
"""These fields of the span processor are its slots, which light spans in C read by position."""


def is_start_written(write: WriteSpan, span: Any, thread_id: int) -> bool | None:
    """Record the start of an ordinary local root by the compiled hot path, if it can be."""
    try:
        return write(
            span._context,
            span._parent,
            span._resource,
            span._instrumentation_scope,
            span._name,
            span._kind,
            span._start_time,
            thread_id,
        )
    except AttributeError as error:  # a span of a shape we do not know
        pass_on(error)
        return False


def is_written(write: WriteSpan, span: Any) -> bool | None:
    """Record an ordinary span by the compiled hot path, if it can be; None: it had no room."""
    try:
        attributes, events, links = span._attributes, span._events, span._links
        if events._dq or links._dq or attributes.dropped or events.dropped or links.dropped:
            return False
        return write(
            span._context,
            span._parent,
            span._resource,
            span._instrumentation_scope,
            span._name,
            span._kind,
            span._start_time,
            span._end_time,
            attributes._dict,
        )
    except AttributeError as error:  # a span of a shape we do not know
        pass_on(error)
        return False
