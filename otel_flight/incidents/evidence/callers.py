"""Which function of the application made a call, as the stack samples during it show."""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.durations.samples import samples_of
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import described
from otel_flight.incidents.window import WindowSpan
from otel_flight.words import quoted

_LONGEST_PLACE: Final = 200


def words_of_caller(evidence: Evidence, call: WindowSpan, how: str = "called in") -> str:
    """Return where a span was made, to go on a sentence with; empty where no sample shows it.

    Of a span that is no call, that is where its time was spent.
    """
    root = evidence.trace.local_root(call)
    during = [
        sample
        for sample in samples_of(evidence, root)
        if call.start_ns <= sample.event.start_ns < call.end_ns
    ]
    path = Part(Doing.ELSEWHERE, "", "", 0, during).path
    return f", {how} {quoted(described(path[-1]), _LONGEST_PLACE)}" if path else ""
