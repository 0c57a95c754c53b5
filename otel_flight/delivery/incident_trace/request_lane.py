"""The lane that lists what else was going on: the local roots in flight around the trigger."""

from __future__ import annotations

import heapq
from typing import Any, Final

from otel_flight.delivery.incident_trace.span_index import LocalRoot, SpanIndex
from otel_flight.delivery.incident_trace.trace import Lane, LaneMaterial, LaneSpan, link_to
from otel_flight.incidents.manifest import Manifest
from otel_flight.names import sent_attributes as names

MOST_REQUESTS: Final = 120
"""Each has a link, of the 128 that the whole trace may have."""

_ERROR: Final = 2


def request_lane(material: LaneMaterial) -> Lane | None:
    """Return the lane of the requests in flight; None when there were none.

    Of more than fit, those are listed that were in flight together with the triggering request for
    the longest time.
    """
    manifest, index = material.manifest, material.index
    start_ns, end_ns = _time_of_interest(manifest, index)
    longest: list[tuple[int, int, LocalRoot]] = []
    in_flight = 0
    for root in index.local_roots():
        if root.start_ns > end_ns or root.end_ns < start_ns:
            continue
        in_flight += 1
        shared_ns = min(root.end_ns, end_ns) - max(root.start_ns, start_ns)
        entry = (shared_ns, root.end_ns - root.start_ns, root)
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


def _time_of_interest(manifest: Manifest, index: SpanIndex) -> tuple[int, int]:
    """Return when the request that fired was in flight; the moment of the trigger if none did."""
    trigger = manifest.trigger
    moment_ns = (trigger.time_ns if trigger else 0) or manifest.opened_ns
    trace = index.trace_number(int(trigger.trace_id or "0", 16)) if trigger else None
    if trace is None:
        return moment_ns, moment_ns
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
    return (best[-1].start_ns, best[-1].end_ns) if best else (moment_ns, moment_ns)


def _lane_span(manifest: Manifest, index: SpanIndex, root: LocalRoot) -> LaneSpan | None:
    found = index.span(root.ordinal)
    if found is None:
        return None
    record = found.record
    trace_id, span_id = f"{record.trace_id:032x}", f"{record.span_id:016x}"
    trigger = manifest.trigger
    attributes: dict[str, Any] = {names.TRACE_ID: trace_id, names.SPAN_ID: span_id}
    if found.is_open:
        attributes[names.UNFINISHED] = True
    if trigger is not None and (trigger.trace_id, trigger.span_id) == (trace_id, span_id):
        attributes[names.IS_TRIGGER] = True
    return LaneSpan(
        name=record.name,
        start_ns=record.start_ns,
        end_ns=record.end_ns,
        attributes=attributes,
        links=[link_to(record.trace_id, record.span_id, "request")],
        is_error=record.status_code == _ERROR,
    )
