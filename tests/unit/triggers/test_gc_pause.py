"""The trigger for a garbage collection that stopped the process for long."""

from __future__ import annotations

import pytest

from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.gc_pause import GcPauseTrigger
from tests.support.spans.made_span import SECOND, SPAN_ID, TRACE_ID


def fired(*events: RuntimeEvent, limit_seconds: float = 1.0) -> list[Firing]:
    """Return what the trigger makes of these events."""
    inbox = FiringInbox()
    trigger = GcPauseTrigger(limit_seconds, inbox)
    for event in events:
        trigger.event_recorded(event)
    return inbox.take_all()


def pause(
    seconds: float, source: str = "gc", generation: int = 2, cpu_seconds: float | None = None
) -> RuntimeEvent:
    """Return a pause that took so long."""
    cpu = {} if cpu_seconds is None else {"flight_recorder.gc.cpu_ns": int(cpu_seconds * SECOND)}
    return RuntimeEvent(
        source,
        "gc pause",
        5 * SECOND,
        5 * SECOND + int(seconds * SECOND),
        77,
        TRACE_ID >> 64,
        TRACE_ID,
        SPAN_ID,
        {"cpython.gc.generation": generation, **cpu},
    )


def test_a_collection_over_the_limit_fires() -> None:
    """At its end, for the span it interrupted, with its duration and the limit."""
    (firing,) = fired(pause(1.5))

    assert (firing.trigger, firing.reason, firing.subject) == ("gc_pause", "gc pause", "")
    assert firing.time_ns == 6.5 * SECOND
    assert (firing.trace_id, firing.span_id) == (TRACE_ID, SPAN_ID)
    assert firing.attributes == {
        "cpython.gc.generation": 2,
        "flight_recorder.duration_ns": 1.5 * SECOND,
        "flight_recorder.limit_ns": SECOND,
    }


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(pause(0.99), id="shorter"),
        pytest.param(pause(5, cpu_seconds=0.9), id="without a CPU"),
        pytest.param(pause(5, source="event_loop"), id="another-source"),
    ],
)
def test_anything_else_does_not_fire(event: RuntimeEvent) -> None:
    """A shorter collection, one that waited for a CPU on a busy machine, another source's."""
    assert fired(event) == []


def test_a_collection_that_had_a_cpu_long_enough_fires() -> None:
    """Whatever else it waited for."""
    assert len(fired(pause(5, cpu_seconds=1.1))) == 1


def test_collections_of_one_generation_are_one_cause() -> None:
    """A second one has the same fingerprint; one of another generation has another."""
    assert len(fired(pause(2), pause(3), pause(2, generation=1))) == 2
