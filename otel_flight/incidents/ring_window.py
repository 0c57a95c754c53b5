"""The window in a ring of another process, alive or dead, which says no more than the ring does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from otel_flight.incidents.flight_file import OPEN_SPANS, segment_entry
from otel_flight.incidents.frozen_window import FrozenWindow
from otel_flight.incidents.gil_yields import YieldGil, keep_gil, with_yields
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.frozen_incident import process_facts
from otel_flight.incidents.manifest import Losses, Manifest
from otel_flight.incidents.open_at_death import open_at_death
from otel_flight.incidents.window import Window, WindowSegment
from otel_flight.records.ids import span_text
from otel_flight.records.records import SpanStart
from otel_flight.ring.facts import SERVICE
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import RingHeader

LastSegment = Callable[[Iterable[SpanStart], Sequence[WindowSegment], int], WindowSegment | None]
"""It is given the requests that were open, oldest first, a window, and when that was closed."""


def ring_incident(
    incident_id: str,
    header: RingHeader,
    frozen: FrozenWindow,
    closed_ns: int,
    *,
    yield_gil: YieldGil = keep_gil,
    last: LastSegment = lambda starts, segments, closed_ns: None,
    exported_to: Mapping[int, int] | None = None,
) -> Incident:
    """Return an incident without its causes.

    Args:
        incident_id: its id.
        header: of the ring.
        frozen: its window.
        closed_ns: when the incident was closed, by the wall clock.
        yield_gil: called now and then, so that the process which does this goes on.
        last: returns what else belongs to the window, if anything.
        exported_to: by lane, the first record that is in no earlier incident; None: the ring says
            it.
    """
    if exported_to is None:
        exported_to = {lane.lane: lane.first_new_record for lane in header.lanes}
    segments = frozen.segments()
    spans = header.lanes[LANE_SPANS]
    records = with_yields(Window(segments).records(LANE_SPANS), yield_gil)
    open_segment, starts, sent = open_at_death(records, closed_ns, exported_to.get(LANE_SPANS, 0))
    roots = (each for each in starts if each.is_local_root)
    if (added := last(roots, segments, closed_ns)) is not None:
        segments.append(added)
    coverage = frozen.coverage(LANE_SPANS, closed_ns)
    manifest = Manifest(
        incident_id=incident_id,
        service_name=str(header.facts.get(SERVICE, "")),
        opened_ns=frozen.moment.wall_ns,
        closed_ns=closed_ns,
        coverage=coverage,
        process=process_facts(header),
        segments=[segment_entry(item) for item in segments],
        open_spans_file=OPEN_SPANS if open_segment is not None else "",
        open_spans_records=open_segment.records if open_segment is not None else 0,
        open_spans=len(starts),
        window_bytes=sum(len(item.segment.payload) for item in segments),
        losses=Losses(
            evicted=0 if coverage.is_complete else spans.evicted_records,
            dropped=sum(lane.dropped_records for lane in header.lanes),
        ),
        exported_to={str(lane): number for lane, number in exported_to.items()},
        unfinished_before=[span_text(each) for each in sent],
    )
    return Incident(manifest, Window(segments, open_segment))
