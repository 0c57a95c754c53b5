"""Spans as span processors see them when they ended, made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode

TRACE_ID = 0xA
SPAN_ID = 0xB
SECOND = 1_000_000_000


def made_span(
    name: Any = "GET /",
    *,
    seconds: float = 1,
    start: Any = 5 * SECOND,
    end: Any = None,
    status: Status | None = None,
    events: tuple[Event, ...] = (),
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, Any] | None = None,
) -> ReadableSpan:
    """Return a span that took some seconds, or ended when it is said to have."""
    return ReadableSpan(
        name,
        SpanContext(TRACE_ID, SPAN_ID, False),
        start_time=start,
        end_time=end if end is not None else 5 * SECOND + int(seconds * SECOND),
        status=status or Status(StatusCode.UNSET),
        events=events,
        kind=kind,
        attributes=attributes,
    )


def exception_event(kind: str = "ValueError", stacktrace: str = "", message: str = "no") -> Event:
    """Return the event that `record_exception` adds."""
    return Event(
        "exception",
        {
            "exception.type": kind,
            "exception.message": message,
            "exception.stacktrace": stacktrace,
        },
    )
