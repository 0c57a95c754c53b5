"""The trigger for a container that is held back by its processor limit."""

from __future__ import annotations

import pytest

from otel_flight.recording.open_spans import OpenSpans
from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.throttling import ThrottlingTrigger
from tests.support.spans.made_span import made_span

MS = 1_000_000


class Container:
    """A container that is throttled as a test says, and serves a request unless told otherwise."""

    def __init__(self, share: float = 0.5, *, is_serving: bool = True) -> None:
        self.inbox = FiringInbox()
        self.open_spans = OpenSpans(10)
        if is_serving:
            self.open_spans.roots[1] = (made_span(), 7, None, 0)
        self.trigger = ThrottlingTrigger(share, self.open_spans, self.inbox)
        self.now_ms = 0

    def passes(self, *held_back_ms: int) -> list[Firing]:
        """Let seconds pass, each held back for so long; return what was fired."""
        for each in held_back_ms:
            self.now_ms += 1000
            if each:
                self.stretch(self.now_ms - 1000, self.now_ms, each)
        return self.inbox.take_all()

    def stretch(self, start_ms: int, end_ms: int, held_back_ms: int) -> None:
        """Let a stretch be recorded."""
        self.trigger.event_recorded(
            RuntimeEvent(
                "throttling",
                "cpu throttled",
                start_ms * MS,
                end_ms * MS,
                attributes={
                    "flight_recorder.container.cpu.limit": 0.2,
                    "flight_recorder.held_back_ns": held_back_ms * MS,
                },
            )
        )


def test_it_fires_when_five_seconds_were_mostly_held_back() -> None:
    """As soon as they were, once."""
    container = Container()

    assert container.passes(800, 800, 800) == []
    (firing,) = container.passes(800)
    assert container.passes(*[800] * 60) == []

    assert (firing.trigger, firing.reason, firing.subject) == ("throttling", "cpu throttling", "")
    assert firing.time_ns == 4000 * MS
    assert firing.attributes == {
        "flight_recorder.throttled.share": 0.64,
        "flight_recorder.container.cpu.limit": 0.2,
    }


def test_a_short_burst_is_nothing() -> None:
    """Two seconds of five are less than half, and what is longer ago does not count."""
    container = Container()

    for _ in range(5):
        assert container.passes(1000, 1000, 0, 0, 0, 0, 0) == []


def test_a_little_throttling_all_the_time_is_nothing() -> None:
    """A healthy service may touch its limit in every second."""
    assert Container().passes(*[300] * 60) == []


def test_of_a_long_stretch_the_last_five_seconds_count() -> None:
    """One that was seen late, because the ticker was held back as well."""
    container = Container()
    container.stretch(0, 60_000, 12_000)

    assert container.inbox.take_all() == []


def test_it_fires_again_after_it_was_well() -> None:
    """Once it was held back for less than half of what fires."""
    container = Container()
    assert len(container.passes(*[900] * 5)) == 1

    assert container.passes(0, 0, 0, 0, 100) == []

    assert len(container.passes(*[900] * 5)) == 1


def test_while_nothing_is_served_it_is_silent() -> None:
    """A container with a small limit is throttled whenever it starts."""
    container = Container(is_serving=False)
    assert container.passes(*[900] * 10) == []

    container.open_spans.roots[1] = (made_span(), 7, None, 0)

    assert len(container.passes(900)) == 1


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_wall_clock_that_is_set_fires_nothing(seconds: int) -> None:
    """What was recorded before is then in another time, and does not count."""
    container = Container()
    container.passes(800, 800)
    container.now_ms += seconds * 1000

    assert container.passes(800) == []


def test_events_of_other_sources_are_not_looked_at() -> None:
    """Whatever they carry."""
    container = Container()
    attributes = {"flight_recorder.held_back_ns": 5000 * MS}

    event = RuntimeEvent("pressure", "cpu pressure", 0, 5000 * MS, attributes=attributes)
    container.trigger.event_recorded(event)

    assert container.inbox.take_all() == []
