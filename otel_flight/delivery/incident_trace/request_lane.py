"""The lane that lists what else was going on: the local roots in flight around the trigger."""

from __future__ import annotations

import heapq
from typing import Any, Final

from otel_flight.delivery.incident_trace.span_index import LocalRoot, SpanIndex
from otel_flight.delivery.incident_trace.trace import Lane, LaneMaterial, LaneSpan, link_to
from otel_flight.incidents.manifest import Manifest
from otel_flight.intervals import Interval, overlap_ns
from otel_flight.names import sent_attributes as names
from otel_flight.records.ids import span_text, trace_text

MOST_REQUESTS: Final = 120
"""The lane lists at most this many requests: each has a link, of the 128 that the trace may
have."""


def request_lane(material: LaneMaterial) -> Lane | None:
    """Return the lane of the requests in flight; None when there were none.

    Of more than fit, those are listed that were in flight together with the triggering request for
    the longest time.
    """
    manifest, index = material.manifest, material.index
    of_interest = _time_of_interest(manifest, index)
    longest: list[tuple[int, int, LocalRoot]] = []
    in_flight = 0
    for root in index.local_roots():
        if root.start_ns > of_interest.end_ns or root.end_ns < of_interest.start_ns:
            continue
        in_flight += 1
        entry = (overlap_ns(root, of_interest), root.end_ns - root.start_ns, root)
        if len(longest) < MOST_REQUESTS:
            heapq.heappush(longest, entry)
        else:
            heapq.heappushpop(longest, entry)
    if not in_flight:
        return None
    listed = sorted(
        (entry[-1] for entry in longest), key=lambda root: (root.start_ns, root.ordinal)
    )
    return Lane(
        name="requests",
        span_kind=names.KIND_INDEX,
        attributes={names.REQUESTS: in_flight},
        spans=[span for root in listed if (span := _lane_span(manifest, index, root)) is not None],
    )


def _time_of_interest(manifest: Manifest, index: SpanIndex) -> Interval:
    """Return when the request that fired was in flight; the moment of the trigger if none did."""
    trigger = manifest.trigger
    moment_ns = manifest.fired_ns
    trace = index.trace_number(trigger.trace) if trigger else None
    if trace is None:
        return Interval(moment_ns, moment_ns)
    # Of several roots of one trace in this process, the one closest to the trigger: a root fires
    # when it has just ended.
    best = max(
        (
            (min(root.end_ns, moment_ns), root.end_ns - root.start_ns, root)
            for root in index.local_roots()
            if index.trace_of(root.ordinal) == trace and root.start_ns <= moment_ns
        ),
        default=None,
    )
    return Interval(best[-1].start_ns, best[-1].end_ns) if best else Interval(moment_ns, moment_ns)


def _lane_span(manifest: Manifest, index: SpanIndex, root: LocalRoot) -> LaneSpan | None:
    found = index.span(root.ordinal)
    if found is None:
        return None
    record = found.record
    trigger = manifest.trigger
    attributes: dict[str, Any] = {
        names.TRACE_ID: trace_text(record.trace_id),
        names.SPAN_ID: span_text(record.span_id),
    }
    if found.is_open:
        attributes[names.UNFINISHED] = True
    if trigger and (trigger.trace, trigger.span) == (record.trace_id, record.span_id):
        attributes[names.IS_TRIGGER] = True
    return LaneSpan(
        name=record.name,
        start_ns=record.start_ns,
        end_ns=record.end_ns,
        attributes=attributes,
        links=[link_to(record.trace_id, record.span_id, names.LINK_REQUEST)],
        is_error=found.is_error,
    )
