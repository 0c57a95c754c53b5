"""The trigger for a container that is about to run out of memory."""

from __future__ import annotations

from typing import Any

import pytest

from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.memory_pressure import MemoryPressureTrigger

LIMIT = 1000


class Container:
    """A container whose memory a test sets, once a second."""

    def __init__(self, share: float = 0.9) -> None:
        self.inbox = FiringInbox()
        self.trigger = MemoryPressureTrigger(share, self.inbox)
        self.seconds = 0

    def holds(self, *held: int, **attributes: Any) -> list[Firing]:
        """Let it hold so much, one second after another; return what was fired."""
        for each in held:
            self.seconds += 1
            noted = {
                "container.memory.usage": LIMIT,  # with all its file cache it is always full
                "flight_recorder.container.memory.held": each,
                "flight_recorder.container.memory.limit": LIMIT,
                "process.memory.usage": each - 10,
                **attributes,
            }
            now = self.seconds * 1_000_000_000
            event = RuntimeEvent("process", "process vitals", now, now, attributes=noted)
            self.trigger.event_recorded(event)
        return self.inbox.take_all()


def test_it_fires_when_the_share_is_reached() -> None:
    """Once, with how much it is; it belongs to no span."""
    container = Container()

    assert container.holds(500, 700, 899) == []
    (firing,) = container.holds(900)

    assert (firing.trigger, firing.reason, firing.subject) == (
        "memory_pressure",
        "memory pressure",
        "",
    )
    assert firing.time_ns == 4_000_000_000
    assert (firing.trace_id, firing.span_id) == (0, 0)
    assert firing.attributes == {
        "flight_recorder.container.memory.share": 0.9,
        "flight_recorder.container.memory.held": 900,
        "flight_recorder.container.memory.limit": LIMIT,
        "process.memory.usage": 890,
    }


def test_going_up_and_down_around_the_share_is_one_incident() -> None:
    """It fires again only after memory was freed."""
    container = Container()

    assert len(container.holds(950, 880, 960, 850, 990)) == 1
    assert container.holds(800) == []
    assert len(container.holds(950)) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"flight_recorder.container.memory.limit": None}, id="no-limit"),
        pytest.param({"flight_recorder.container.memory.limit": 0}, id="limit-of-nothing"),
        pytest.param({"flight_recorder.container.memory.held": None}, id="not-known"),
    ],
)
def test_without_a_limit_nothing_fires(attributes: dict[str, Any]) -> None:
    """However much it is."""
    assert Container().holds(10**12, **attributes) == []


def test_events_of_other_sources_are_not_looked_at() -> None:
    """Whatever they carry."""
    inbox = FiringInbox()
    attributes = {
        "flight_recorder.container.memory.held": 10,
        "flight_recorder.container.memory.limit": 10,
    }

    event = RuntimeEvent("logs", "record", 1, 1, attributes=attributes)
    MemoryPressureTrigger(0.9, inbox).event_recorded(event)

    assert inbox.take_all() == []
