"""The trigger for local roots that take too long and have not ended."""

from __future__ import annotations

from typing import Any

import pytest

from otel_flight.assembly import Settings
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.testing import FakeClock
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.triggers.roots.route_limits import RouteLimits
from otel_flight.triggers.slow_open_root import SlowOpenRootTrigger
from tests.support.made_span import SECOND, SPAN_ID, TRACE_ID, made_span

TICK = 0.1


class Watch:
    """The trigger with a clock of our own, looking every tick."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.open_spans = OpenSpans(100)
        self.inbox = FiringInbox()
        self.trigger = SlowOpenRootTrigger(
            RouteLimits(Settings(**settings), LearnedLimits(self.clock)),
            self.open_spans,
            self.inbox,
            self.clock,
        )

    def start(self, span_id: int = 1, name: Any = "GET /", started: Any = None) -> None:
        """Open a local root now."""
        span = made_span(name, start=self.clock.wall_ns() if started is None else started)
        self.open_spans.roots[span_id] = (span, 77, None)

    def end(self, span_id: int = 1) -> None:
        """Close it."""
        del self.open_spans.roots[span_id]

    def after(self, seconds: float) -> list[Firing]:
        """Let time pass, and return what was fired meanwhile."""
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
            self.trigger.watch()
        return self.inbox.take_all()


def test_a_root_that_hangs_fires_once() -> None:
    """As soon as it has taken longer than it may, and not again; it is the same cause as ended."""
    watch = Watch()
    watch.start()

    assert watch.after(0.9) == []
    (firing,) = watch.after(0.3)
    assert watch.after(100) == []

    assert (firing.trigger, firing.reason) == ("slow_open_root", "slow local root")
    assert firing.fingerprint == ("slow_root", "GET /")
    assert (firing.trace_id, firing.span_id) == (TRACE_ID, SPAN_ID)
    assert firing.attributes["flight_recorder.limit_ns"] == SECOND
    assert SECOND < firing.attributes["flight_recorder.duration_ns"] < 1.3 * SECOND


def test_roots_that_end_in_time_do_not_fire() -> None:
    """However many there are one after another."""
    watch = Watch()
    for span_id in range(30):
        watch.start(span_id)
        assert watch.after(0.8) == []
        watch.end(span_id)


def test_routes_have_their_own_limits() -> None:
    """The same as for roots that ended."""
    watch = Watch(slow_root_routes=(("GET /report", 5.0), ("POST /bulk", None)))
    for span_id, name in enumerate(("GET /", "GET /report", "POST /bulk")):
        watch.start(span_id, name)

    assert [firing.subject for firing in watch.after(4)] == ["GET /"]
    assert [firing.subject for firing in watch.after(100)] == ["GET /report"]


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_wall_clock_that_is_set_disturbs_nothing(seconds: float) -> None:
    """Set forward, no root looks an hour old; set back, a root that hangs is still found."""
    watch = Watch()
    watch.start(1, "known before")
    assert watch.after(0.5) == []
    watch.start(2, "started before")
    watch.clock.set_wall(seconds)
    watch.start(3, "started after")

    assert [firing.subject for firing in watch.after(0.4)] == []
    assert [firing.subject for firing in watch.after(0.2)] == ["known before"]
    assert {firing.subject for firing in watch.after(1)} == {"started before", "started after"}


def test_a_start_in_the_past_counts_from_when_it_was_seen() -> None:
    """A root that is given its message's time for a start has only begun to work."""
    watch = Watch()
    watch.start(started=1)

    assert watch.after(0.8) == []
    assert len(watch.after(0.5)) == 1


@pytest.mark.parametrize("started", [None, "now", 7.5, float("nan"), [], 1 << 200])
@pytest.mark.parametrize("name", [None, 5, ["a"]])
def test_an_odd_root_does_not_hide_the_others(started: Any, name: Any) -> None:
    """Names and times of any type; each root is looked at."""
    watch = Watch(slow_root_routes=(("GET *", 1.0),))
    span = made_span(name, start=started)
    watch.open_spans.roots[1] = (span, 77, None)
    watch.start(2, "GET /")

    fired = watch.after(2)

    assert [firing.subject for firing in fired if firing.subject == "GET /"] == ["GET /"]
    assert len(fired) == 2


def test_what_is_remembered_ends_with_its_root() -> None:
    """The trigger knows nothing of roots that are gone."""
    watch = Watch()
    watch.start()
    watch.after(2)
    watch.end()
    watch.after(TICK)

    assert watch.trigger._ages._started_ns == {}
    assert watch.trigger._fired == set()
