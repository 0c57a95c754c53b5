"""The stack samples of an incident in portions: one request for each of its processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from otel_flight.delivery.chunks import Chunk
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.profiles.sampled_stacks import SampledStacks, sampled_stacks
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.incident import Incident
from otel_flight.ring.layout import LANE_RUNTIME


class SampledWindow(NamedTuple):
    """What becomes one profile.

    Attributes:
        number: the place of the window among those of its incident.
        incident: the window, as an incident.
        stacks: its stack samples.
        yield_gil: called after each of them.
    """

    number: int
    incident: Incident
    stacks: list[SampledStacks]
    yield_gil: YieldGil = keep_gil


def profile_chunks(number: int, incident: Incident, pacer: Pacer) -> Iterator[Chunk[SampledWindow]]:
    """Yield what one request carries: the samples of a window; nothing where there are none.

    Samples that an earlier incident of the same process has are left out.

    Args:
        number: the place of the window among those of its incident.
        incident: the window, as an incident.
        pacer: yields the GIL in between.
    """
    first = incident.manifest.exported_to.get(str(LANE_RUNTIME), 0)
    stacks = sampled_stacks(incident, first_record=first, yield_gil=pacer.yield_in_time)
    if stacks:
        sampled = SampledWindow(number, incident, stacks, pacer.yield_if_due)
        yield Chunk(lambda window: window, [sampled], pacer)
