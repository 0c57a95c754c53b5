"""Other requests that were seen at the same, at the same time: a herd, where one alone is none."""

from __future__ import annotations

from collections.abc import Sequence

from otel_flight.ground.intervals import Interval
from otel_flight.incidents.evidence.durations.samples import Sample
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import application_frames
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import attributes as names
from otel_flight.names import source_names


def others_there(evidence: Evidence, samples: Sequence[Sample]) -> int:
    """Return how many other requests were in the same function, for the same, while one was.

    Args:
        evidence: the incident.
        samples: of that one, by time; the last of them says what it did.
    """
    here = _where(samples[-1].event)
    during = Interval(samples[0].start_ns, samples[-1].end_ns)
    there = {
        event.record.span_id
        for event in evidence.events_during(source_names.STACKS, during)
        if event.stack is not None and _where(event) == here
    }
    return len(there - {samples[-1].event.record.span_id})


def _where(event: WindowEvent) -> tuple[object, ...]:
    attributes = event.record.attributes
    last = application_frames(event.frames)[-1:]
    places = [(frame.function, frame.file) for frame in last]
    return attributes.get(names.WAIT_KIND), attributes.get(names.WAIT_ON), *places
