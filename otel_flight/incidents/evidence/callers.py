"""Which function of the application made calls, as the stack samples during them show."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from otel_flight.ground.intervals import union
from otel_flight.incidents.evidence.durations.own_time import words_of_path
from otel_flight.incidents.evidence.durations.samples import samples_of
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import described
from otel_flight.incidents.window import WindowSpan
from otel_flight.records.records import Frame
from otel_flight.words import quoted

_LONGEST_PLACE: Final = 200


def words_of_caller(evidence: Evidence, call: WindowSpan, how: str = "called in") -> str:
    """Return where a span was made, to go on a sentence with; empty where no sample shows it.

    Of a span that is no call, that is where its time was spent.
    """
    path = _path(evidence, [call])
    return f", {how} {quoted(described(path[-1]), _LONGEST_PLACE)}" if path else ""


def words_of_loop(evidence: Evidence, calls: Sequence[WindowSpan]) -> str:
    """Return where calls of one request were made, and who called that: the loop may be there."""
    path = _path(evidence, calls)
    return f", called in {words_of_path(path)}" if path else ""


def _path(evidence: Evidence, calls: Sequence[WindowSpan]) -> Sequence[Frame]:
    root = evidence.trace.local_root(calls[0])
    parts = list(union(calls, root))
    starts = [part.start_ns for part in parts]
    during = []
    for sample in samples_of(evidence, root):
        at = bisect_right(starts, sample.event.start_ns) - 1
        if at >= 0 and sample.event.start_ns < parts[at].end_ns:
            during.append(sample)
    return Part(Doing.ELSEWHERE, "", "", 0, during).path
