"""Make records of spans by their public properties, whichever SDK they are of.

Every field is given by its name, so this is right whatever the order of the fields is; what names
them by position, in Python and in C, is compared with this.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from opentelemetry.trace.span import DEFAULT_TRACE_STATE

from otel_flight.interpreter.sdk.internals import attributes_of
from otel_flight.records import records
from otel_flight.records.records import Event, Link, Span, SpanStart

_LOW_64: Final = (1 << 64) - 1


def end_record(span: Any, record_type: type[Span], scope: int, end_ns: Any) -> Span:
    """Return the record of a span that ended, or of one that is still open at `end_ns`.

    Names and times are passed on as they are: the decoder converts those of a wrong type.
    """
    return record_type(
        **_common_fields(span, scope),
        end_ns=end_ns,
        attributes=attributes_of(span),
        events=_arrays(map(_event, _items_of(span, "events"))),
        links=_arrays(links_of(_items_of(span, "links"))),
        status=status_of(span.status),
        extras=extras_of(span),
    )


def start_record(span: Any, scope: int, thread_id: int) -> SpanStart:
    """Return the record of a span that started, with its attributes so far."""
    return SpanStart(
        **_common_fields(span, scope), thread_id=thread_id, attributes=attributes_of(span)
    )


def status_of(status: Any) -> int | tuple[int, str | None]:
    """Return the status code, with its description when there is one."""
    if status is None:
        return 0
    code: int = status.status_code.value
    description = status.description
    return (code, description) if description is not None else code


def links_of(links: Iterable[Any]) -> list[Link]:
    """Return the SDK's links as a record has them, in their order."""
    return [
        Link(
            trace_id_high=link.context.trace_id >> 64 & _LOW_64,
            trace_id_low=link.context.trace_id & _LOW_64,
            span_id=link.context.span_id & _LOW_64,
            flags=(link.context.trace_flags & 255)
            | (records.FLAG_PARENT_IS_REMOTE if link.context.is_remote else 0),
            attributes=attributes_of(link),
            dropped_attributes=getattr(link, "dropped_attributes", 0),
            trace_state=link.context.trace_state.to_header() if link.context.trace_state else "",
        )
        for link in links
    ]


def extras_of(span: Any) -> dict[str, Any] | None:
    """Return what only few spans have: trace state and counts of what the SDK's limits dropped."""
    counts = {
        records.EXTRA_DROPPED_ATTRIBUTES: span.dropped_attributes,
        records.EXTRA_DROPPED_EVENTS: span.dropped_events,
        records.EXTRA_DROPPED_LINKS: span.dropped_links,
    }
    extras: dict[str, Any] = {key: count for key, count in counts.items() if count}
    context = span.get_span_context()
    if context is not None and context.trace_state and context.trace_state != DEFAULT_TRACE_STATE:
        extras[records.EXTRA_TRACE_STATE] = context.trace_state.to_header()
    return extras or None


def _common_fields(span: Any, scope: int) -> dict[str, Any]:
    context = span.get_span_context()
    parent = span.parent
    flags = context.trace_flags & 255
    if parent is not None and parent.is_remote:
        flags |= records.FLAG_PARENT_IS_REMOTE
    return {
        "trace_id_high": context.trace_id >> 64 & _LOW_64,
        "trace_id_low": context.trace_id & _LOW_64,
        "span_id": context.span_id & _LOW_64,
        "parent_span_id": parent.span_id & _LOW_64 if parent is not None else 0,
        "flags": flags,
        "scope": scope,
        "name": span.name,
        "kind": getattr(span.kind, "value", 0),
        "start_ns": span.start_time,
    }


def _event(event: Any) -> Event:
    return Event(
        name=event.name,
        time_ns=event.timestamp,
        attributes=attributes_of(event),
        dropped_attributes=getattr(event, "dropped_attributes", 0),
    )


def _arrays(structs: Iterable[msgspec.Struct]) -> Any:
    """Return parts of a record as it is encoded, for what looks into its values."""
    return [msgspec.structs.astuple(each) for each in structs]


def _items_of(span: Any, name: str) -> list[Any]:
    """Return a copy of a span's events or links; without their lock, for the same reason."""
    inner = getattr(getattr(span, f"_{name}", None), "_dq", None)
    return list(getattr(span, name) if inner is None else inner)
