"""How long the process was throttled, as its container was at its CPU limit."""

from __future__ import annotations

from collections.abc import Iterable

from otel_flight.ground.intervals import Timed, overlap_ns
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import process_attributes as vitals


def held_back_ns(events: Iterable[WindowEvent], time: Timed) -> float:
    """Return how much of a stretch of time events of throttling account for.

    An event says for how long of its whole time the process was held back, and not when: as large
    a part of what it shares with the stretch counts.
    """
    return sum(
        float(event.record.attributes.get(vitals.HELD_BACK, 0))
        * overlap_ns(event, time)
        / max(1, event.duration_ns)
        for event in events
    )
