"""Traces that a backend may not take as a whole, and what goes out first of them.

Tempo takes 5 MB of a trace unless it is told otherwise, drops what comes after that, and answers
that all is well. So the recorder itself has to say which traces are that large, and to send first
what would be missed most.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from opentelemetry.sdk.trace import Event

from otel_flight.delivery.incident_trace.span_index import SpanIndex
from otel_flight.delivery.otlp.values import portable_time_ns
from otel_flight.incidents.gil_yields import YieldGil
from otel_flight.names import sent_attributes as names
from otel_flight.records.ids import trace_text

LARGE_BYTES: Final = 4_500_000
"""A trace is large from this many bytes on: less than Tempo's limit, as sizes are estimated, and
other services have their share of a trace."""
_ADDED_BYTES: Final = 128
"""A span takes this many bytes as OTLP beyond its record: measured, 110 to 190 with an incident's
stamps."""
_MOST_EVENTS: Final = 20


class LargeTrace(NamedTuple):
    """A trace that may be over a backend's limit.

    Attributes:
        trace_id: its id.
        spans: how many of it are in the window.
        bytes: about how much these take as OTLP.
    """

    trace_id: int
    spans: int
    bytes: int


def is_large(index: SpanIndex, trace: int) -> bool:
    """Tell whether a trace, by its number, may be over a backend's limit."""
    return _otlp_bytes(index, trace) >= LARGE_BYTES


def large_traces(index: SpanIndex) -> list[LargeTrace]:
    """Return the traces that may be over a backend's limit, the largest first."""
    found = [
        LargeTrace(trace_id, index.span_count(trace), _otlp_bytes(index, trace))
        for trace, trace_id in enumerate(index.trace_ids())
        if is_large(index, trace)
    ]
    return sorted(found, key=lambda each: each.bytes, reverse=True)


def large_trace_events(index: SpanIndex, time_ns: int) -> list[Event]:
    """Return an event for each large trace, for the root of the incident's trace."""
    return [
        Event(
            names.LARGE_TRACE,
            {
                names.TRACE_ID: trace_text(each.trace_id),
                names.TRACE_SPANS: each.spans,
                names.TRACE_BYTES: each.bytes,
            },
            portable_time_ns(time_ns),
        )
        for each in large_traces(index)[:_MOST_EVENTS]
    ]


def most_telling_first(
    index: SpanIndex,
    spans: Sequence[int],
    fired: Collection[int],
    yield_gil: YieldGil,
) -> list[int]:
    """Return spans of one trace: what fired, then the longest.

    A parent takes at least as long as what it waits for, so the tree comes from its top, and the
    many small spans come last.

    Args:
        index: where the spans are.
        spans: by their ordinals.
        fired: the span ids of those that fired.
        yield_gil: called after every span, to let other threads run.
    """
    ranked: list[tuple[bool, int, int]] = []
    for ordinal in spans:
        found = index.span(ordinal)
        record = found.record if found is not None else None
        if record is None:
            ranked.append((True, 0, ordinal))
        else:
            length_ns = max(0, record.end_ns - record.start_ns)
            ranked.append((record.span_id not in fired, -length_ns, ordinal))
        yield_gil()
    return [ordinal for _, _, ordinal in sorted(ranked)]


def _otlp_bytes(index: SpanIndex, trace: int) -> int:
    return index.record_bytes(trace) + _ADDED_BYTES * index.span_count(trace)
