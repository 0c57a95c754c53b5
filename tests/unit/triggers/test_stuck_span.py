"""The trigger for spans of any kind that do not end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from otel_flight.recording.open_spans import OpenSpans
from otel_flight.testing import FakeClock
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.stuck_span import StuckSpanTrigger
from tests.support.spans.made_span import SECOND, SPAN_ID, TRACE_ID, made_span

TICK = 0.1


class Watch:
    """The trigger with a clock of our own, looking every tick."""

    def __init__(self, limit_seconds: float = 10) -> None:
        self.clock = FakeClock()
        self.open_spans = OpenSpans(100)
        self.inbox = FiringInbox()
        self.trigger = StuckSpanTrigger(limit_seconds, self.open_spans, self.inbox, self.clock)

    def start(self, span_id: int = 1, name: Any = "poll", started: Any = None) -> None:
        """Open a span now."""
        start = self.clock.wall_ns() if started is None else started
        self.open_spans.spans[span_id] = made_span(name, start=start)

    def end(self, span_id: int = 1) -> None:
        """Close it."""
        del self.open_spans.spans[span_id]

    def after(self, seconds: float) -> list[Firing]:
        """Let time pass, and return what was fired meanwhile."""
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
            self.trigger.watch()
        return self.inbox.take_all()


def test_a_span_that_does_not_end_fires_once() -> None:
    """Soon after its limit, and not again; whether or not it is a local root."""
    watch = Watch()
    watch.after(5)
    watch.start()

    assert watch.after(9.9) == []
    (firing,) = watch.after(1.2)
    assert watch.after(100) == []

    assert (firing.trigger, firing.reason, firing.subject) == ("stuck_span", "stuck span", "poll")
    assert (firing.trace_id, firing.span_id) == (TRACE_ID, SPAN_ID)
    assert firing.attributes["flight_recorder.limit_ns"] == 10 * SECOND
    assert 10 * SECOND < firing.attributes["flight_recorder.duration_ns"] < 11 * SECOND


def test_spans_that_end_in_time_do_not_fire() -> None:
    """However many there are one after another."""
    watch = Watch()
    for span_id in range(20):
        watch.start(span_id)
        assert watch.after(9) == []
        watch.end(span_id)


def test_each_stuck_span_fires() -> None:
    """Each once; those of one name are the same cause."""
    watch = Watch()
    for span_id, name in enumerate(("poll", "consume", "poll")):
        watch.start(span_id, name)

    assert sorted(firing.subject for firing in watch.after(12)) == ["consume", "poll"]
    assert watch.after(100) == []


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_wall_clock_that_is_set_disturbs_nothing(seconds: float) -> None:
    """Set forward, no span looks an hour old; set back, a stuck one is still found."""
    watch = Watch()
    watch.after(1)
    watch.start(1, "known before")
    watch.after(5)
    watch.clock.set_wall(seconds)
    watch.start(2, "started after")

    assert watch.after(4) == []
    assert [firing.subject for firing in watch.after(2)] == ["known before"]
    assert [firing.subject for firing in watch.after(5)] == ["started after"]


def test_open_spans_are_looked_at_now_and_then() -> None:
    """There may be ten thousand of them: twenty times until one is stuck, and not at each tick."""
    watch = Watch()
    looks: list[int] = []
    update = watch.trigger._ages.update

    def update_and_count(spans: Iterable[tuple[int, Any]]) -> dict[int, int]:
        looks.append(1)
        return update(spans)

    watch.trigger._ages.update = update_and_count  # type: ignore[method-assign]
    watch.start()

    watch.after(10)

    assert 19 <= len(looks) <= 21


def test_a_short_limit_is_watched_at_each_tick() -> None:
    """The shortest there is."""
    watch = Watch(0.1)
    watch.after(1)
    watch.start()

    assert len(watch.after(0.2)) == 1


@pytest.mark.parametrize("started", [None, "now", float("nan"), [], 1 << 200])
def test_an_odd_span_does_not_hide_the_others(started: Any) -> None:
    """Times of any type; each span is looked at."""
    watch = Watch()
    watch.open_spans.spans[1] = made_span("odd", start=started)
    watch.start(2, "usual")

    assert {firing.subject for firing in watch.after(12)} == {"odd", "usual"}


def test_what_is_remembered_ends_with_its_span() -> None:
    """The trigger knows nothing of spans that are gone."""
    watch = Watch()
    watch.start()
    watch.after(12)
    watch.end()
    watch.after(1)

    assert watch.trigger._ages._started_ns == {}
    assert watch.trigger._fired == set()
