"""The stack samples of one request, each standing for the time around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.names import attributes as names
from otel_flight.names import source_names
from otel_flight.records.records import Frame

MOST_SAMPLES: Final = 2_000
"""Only the first samples of a request are looked at, at most this many."""
_SHORTEST_GAP_NS: Final = 20_000_000
"""The usual gap between two samples counts as at least this many nanoseconds."""
_GAP_TIMES: Final = 1.5
"""The samples at the ends of a gap cover it whole up to this many times the usual gap, and of a
longer one only half a usual gap each."""


@dataclass(frozen=True)
class Sample:
    """What a request was seen doing.

    Attributes:
        event: as it was recorded.
        start_ns: halfway to the sample before.
        end_ns: halfway to the next one.
    """

    event: WindowEvent
    start_ns: int
    end_ns: int

    @property
    def duration_ns(self) -> int:
        """How much time it stands for."""
        return self.end_ns - self.start_ns

    @property
    def frames(self) -> Sequence[Frame]:
        """The stack, outermost frame first."""
        return self.event.frames

    @property
    def wait_kind(self) -> str:
        """What was waited for, in a word; empty: nothing, as far as is known."""
        return str(self.event.record.attributes.get(names.WAIT_KIND, ""))

    @property
    def wait_on(self) -> str:
        """What exactly was waited for."""
        return str(self.event.record.attributes.get(names.WAIT_ON, ""))


def samples_of(evidence: Evidence, root: WindowSpan) -> list[Sample]:
    """Return the samples of a local root, by time."""
    record = root.record
    events = [
        event
        for event in evidence.events_during(source_names.STACKS, root)
        if event.record.span_id == record.span_id
        and event.record.trace_id == record.trace_id
        and event.stack is not None
    ]
    return spread(events, record.start_ns, record.end_ns)


def spread(events: Sequence[WindowEvent], start_ns: int, end_ns: int) -> list[Sample]:
    """Return samples of one request or thread, each with the time that it stands for.

    Args:
        events: the samples, by time.
        start_ns: when what they are of began.
        end_ns: when it ended.
    """
    moments = [event.start_ns for event in events]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    usual = max(_SHORTEST_GAP_NS, int(median(gaps))) if gaps else 2 * _SHORTEST_GAP_NS
    ends = [_reach(gap, usual) for gap in gaps]
    starts = [gap - end if end * 2 + 1 >= gap else end for gap, end in zip(gaps, ends, strict=True)]
    return [
        Sample(event, max(start_ns, moment - before), min(end_ns, moment + after))
        for event, moment, before, after in zip(
            events, moments, [usual // 2, *starts], [*ends, usual // 2], strict=False
        )
    ]


def _reach(gap_ns: int, usual_ns: int) -> int:
    """Return how far a sample reaches into the gap behind it."""
    return gap_ns // 2 if gap_ns <= usual_ns * _GAP_TIMES else usual_ns // 2
