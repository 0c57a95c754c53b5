"""The stack samples of one request, each standing for the time around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from otel_flight.ground.intervals import Interval, Timed, union_ns
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import application_frames
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
_AGE_SHARE: Final = 0.05
"""A gap of this share of the request's age is usual, too: old ones are looked at less often."""
_LONGEST_BRIDGE_NS: Final = 2_000_000_000
"""Samples that show the same cover a gap of up to this many nanoseconds between them, too."""


@dataclass(frozen=True)
class Sample:
    """What a request was seen doing.

    Attributes:
        event: as it was recorded.
        start_ns: halfway to the sample before.
        end_ns: halfway to the next one.
        assumed_ns: how much of that is in a long gap, at whose other end it did the same.
    """

    event: WindowEvent
    start_ns: int
    end_ns: int
    assumed_ns: int = 0

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
    blind = evidence.events_during(source_names.DESCHEDULING, root)
    return spread(events, record.start_ns, record.end_ns, blind)


def spread(
    events: Sequence[WindowEvent], start_ns: int, end_ns: int, blind: Sequence[Timed] = ()
) -> list[Sample]:
    """Return samples of one request or thread, each with the time that it stands for.

    Args:
        events: the samples, by time.
        start_ns: when what they are of began; 0: not known.
        end_ns: when it ended.
        blind: while nobody could look, for want of the GIL, say. Who could not look could not go on
            either: what was waited for before and after may have been over long since.
    """
    moments = [event.start_ns for event in events]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    usual = max(_SHORTEST_GAP_NS, int(median(gaps))) if gaps else 2 * _SHORTEST_GAP_NS
    found, before, assumed_before = [], usual // 2, 0
    for index, (event, moment) in enumerate(zip(events, moments, strict=True)):
        age = moment - (start_ns or moments[0])
        expected = max(usual, int(age * _AGE_SHARE) + usual // 2)
        after, next_before, assumed = expected // 2, 0, 0
        if index < len(gaps):
            gap = gaps[index]
            is_seen = gap <= expected * _GAP_TIMES
            if is_seen or (
                gap <= _LONGEST_BRIDGE_NS
                and _shown(event) == _shown(events[index + 1])
                and not _is_doubtful(event, Interval(moment, moment + gap), blind)
            ):
                after, next_before = gap // 2, gap - gap // 2
                assumed = 0 if is_seen else (gap - expected) // 2
            else:
                next_before = after
        start, end = max(start_ns, moment - before), min(end_ns, moment + after)
        found.append(Sample(event, start, end, assumed_before + assumed))
        before, assumed_before = next_before, assumed
    return found


def _is_doubtful(event: WindowEvent, gap: Interval, blind: Sequence[Timed]) -> bool:
    is_waiting = names.WAIT_KIND in event.record.attributes
    return is_waiting and union_ns(blind, gap) * 2 > gap.duration_ns


def _shown(event: WindowEvent) -> object:
    """Return what two samples have in common between which nothing happened, it seems."""
    innermost = [*event.frames, *application_frames(event.frames)][-1:]
    attributes = event.record.attributes
    return (
        [(frame.function, frame.file) for frame in innermost],
        attributes.get(names.WAIT_KIND),
        attributes.get(names.WAIT_ON),
        event.record.thread_id,
    )
