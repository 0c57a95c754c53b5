"""The lane that lists what else was going on: the local roots in flight around the trigger."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from typing import Any, Final

from otel_flight.delivery.incident_trace.span_index import LocalRoot, SpanIndex
from otel_flight.delivery.incident_trace.trace import Lane, LaneMaterial, LaneSpan, link_to
from otel_flight.ground.intervals import Interval, overlap_ns
from otel_flight.incidents.manifest import Manifest
from otel_flight.names import sent_attributes as names
from otel_flight.records.ids import id_of, span_text, trace_text

MOST_REQUESTS: Final = 20
"""The lane lists at most this many requests: of more, nobody would see the other lanes."""
_MOST_NAMES: Final = 10
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


def request_lane(material: LaneMaterial) -> Lane | None:
    """Return the lane of the requests in flight; None when there were none.

    Of more than fit, those are listed that fired or that a finding names, then those that were in
    flight together with the triggering request for the longest time. The others are counted.
    """
    manifest, index = material.manifest, material.index
    of_interest = _time_of_interest(manifest, index)
    telling = _telling_traces(manifest, index)
    listed: list[tuple[bool, int, int, LocalRoot]] = []
    left: Counter[str] = Counter()
    in_flight = 0
    for root in index.local_roots():
        if root.start_ns > of_interest.end_ns or root.end_ns < of_interest.start_ns:
            continue
        in_flight += 1
        is_telling = index.trace_of(root.ordinal) in telling
        entry = (is_telling, overlap_ns(root, of_interest), root.end_ns - root.start_ns, root)
        if len(listed) < MOST_REQUESTS:
            heapq.heappush(listed, entry)
        elif (found := index.span(heapq.heappushpop(listed, entry)[-1].ordinal)) is not None:
            left[found.record.name] += 1
    if not in_flight:
        return None
    roots = sorted((entry[-1] for entry in listed), key=lambda root: (root.start_ns, root.ordinal))
    return Lane(
        name="requests",
        span_kind=names.KIND_INDEX,
        attributes={names.REQUESTS: in_flight, **_not_listed(left)},
        spans=[span for root in roots if (span := _lane_span(manifest, index, root)) is not None],
    )


def _telling_traces(manifest: Manifest, index: SpanIndex) -> set[int | None]:
    """Return the numbers of the traces that fired, and of those that what was found names."""
    named = {cause.trace for cause in manifest.causes}
    named |= {id_of(each.link_trace_id) for each in manifest.explanations}
    for finding in manifest.findings:
        named |= {id_of(text) for text in _TRACE_ID.findall(str(finding.evidence))}
    return {index.trace_number(trace_id) for trace_id in named} - {None}


def _not_listed(left: Counter[str]) -> dict[str, Any]:
    if not left:
        return {}
    return {
        names.REQUESTS_NOT_LISTED: [
            f"{count} {name}" for name, count in left.most_common(_MOST_NAMES)
        ]
    }


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
