"""The windows of an incident as they are sent: its own, then those of the other processes."""

from __future__ import annotations

from collections.abc import Iterator

from otel_flight.assembly import ASSEMBLY
from otel_flight.delivery.pacing import Pacer
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import examined


def all_windows(incident: Incident, guard: Guard, pacer: Pacer) -> Iterator[Incident]:
    """Yield the windows of an incident, each as an incident, one in memory at a time.

    The incident is examined, if its process had no time for that, and those of the others that
    fired, so that what explains their traces is there.

    Raises:
        OutOfTime: this process ends.
    """
    yield examined(incident, ASSEMBLY.rulebook, guard, pacer.yield_in_time)
    for other in incident.others:
        has_fired = bool(other.manifest.causes)
        yield examined(other, ASSEMBLY.rulebook, guard, pacer.yield_in_time) if has_fired else other
