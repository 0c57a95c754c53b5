"""The trigger for local roots that are about to be killed."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.interpreter.supervisors import Supervisor
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.testing import FakeClock
from otel_flight.triggers.base import TriggerContext
from otel_flight.triggers.deadline import DeadlineTrigger
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from tests.support.spans.made_span import SECOND, SPAN_ID, TRACE_ID, made_span

TICK = 0.1


class Watch:
    """The trigger with a clock of our own, looking every tick.

    Args:
        supervisor: who kills this process.
        seconds: the limit that is set.
    """

    def __init__(self, supervisor: Supervisor | None = None, seconds: float | None = None) -> None:
        self.clock = FakeClock()
        self.inbox = FiringInbox()
        self.asked = 0
        self.supervisor = supervisor
        context = TriggerContext(OpenSpans(100), self.inbox, self.clock)
        self.open_spans = context.open_spans
        self.trigger = DeadlineTrigger(seconds, context, self.find)

    def find(self) -> Supervisor | None:
        """Return who kills this process."""
        self.asked += 1
        return self.supervisor

    def start(self, name: str = "GET /", span_id: int = 1) -> None:
        """Open a local root now."""
        self.open_spans.roots[span_id] = made_span(name), 77, None, self.clock.monotonic_ns()

    def end(self, span_id: int = SPAN_ID, seconds: float = 0.0) -> list[Firing]:
        """End a local root after a time without a look; return what was fired."""
        self.clock.advance(seconds)
        root = self.open_spans.roots.pop(span_id)
        span = root[0]
        assert isinstance(span, ReadableSpan)
        self.trigger.root_ended(span, root)
        return self.inbox.take_all()

    def after(self, seconds: float) -> list[Firing]:
        """Let time pass, and return what was fired meanwhile."""
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
            self.trigger.watch()
        return self.inbox.take_all()


def test_a_request_fires_once_before_its_worker_is_killed() -> None:
    """At 80 % of the server's limit, with who and when."""
    watch = Watch(Supervisor("gunicorn", 10))
    watch.start()

    assert watch.after(7.9) == []
    (firing,) = watch.after(0.2)
    assert watch.after(10) == []

    assert firing.title == "near its deadline GET /"
    assert (firing.trigger, firing.trace_id, firing.span_id) == ("deadline", TRACE_ID, SPAN_ID)
    assert firing.attributes["flight_recorder.limit_ns"] == 10 * SECOND
    assert firing.attributes["flight_recorder.supervisor"] == "gunicorn"
    assert watch.asked == 1


def test_a_limit_that_is_set_counts_for_whatever_kills() -> None:
    """A function service, say, which nobody here knows."""
    watch = Watch(seconds=5)
    watch.start()

    (firing,) = watch.after(4.1)

    assert firing.attributes["flight_recorder.limit_ns"] == 5 * SECOND
    assert "flight_recorder.supervisor" not in firing.attributes


def test_tasks_have_limits_of_their_own() -> None:
    """As Celery's do."""
    watch = Watch(Supervisor("Celery", 0, tasks={"run/app.slow": 2}))
    watch.start("run/app.slow", 1)
    watch.start("run/app.other", 2)

    (firing,) = watch.after(30)

    assert firing.subject == "run/app.slow"


def test_the_limit_of_a_single_call_comes_first() -> None:
    """It is asked for once, when the call has been open for a while, and may depend on its age."""
    asked: list[float] = []

    def limit_now(age_seconds: float) -> float:
        asked.append(age_seconds)
        return age_seconds + 2

    watch = Watch(Supervisor("AWS Lambda", 0, limit_now=limit_now))
    watch.start()

    (firing,) = watch.after(30)

    assert len(asked) == 1
    assert firing.attributes["flight_recorder.limit_ns"] == int((asked[0] + 2) * SECOND)


def test_nothing_fires_where_no_request_is_killed() -> None:
    """A worker with threads may not be silent, but its requests may take as long as they like."""
    for supervisor in (None, Supervisor("gunicorn", 10, is_for_requests=False)):
        watch = Watch(supervisor)
        watch.start()
        assert watch.after(60) == []


def test_a_request_that_ends_unseen_fires_at_its_end() -> None:
    """A native call has kept the GIL until the server's signal interrupted it."""
    watch = Watch(Supervisor("gunicorn", 10))
    watch.start(span_id=SPAN_ID)

    (firing,) = watch.end(seconds=10.2)

    assert firing.title == "near its deadline GET /"
    assert firing.attributes["flight_recorder.duration_ns"] == int(10.2 * SECOND)
    assert watch.after(1) == []


def test_a_request_that_ends_fires_once_or_not_at_all() -> None:
    """If it was told while it was open, or had time left."""
    watch = Watch(Supervisor("gunicorn", 10))
    watch.start(span_id=SPAN_ID)
    assert len(watch.after(8.5)) == 1
    assert watch.end() == []

    watch.start(span_id=SPAN_ID)
    assert watch.end(seconds=7.9) == []


@pytest.mark.parametrize(
    ("supervisor", "seconds", "is_asked"),
    [
        (Supervisor("gunicorn", 10), None, True),
        (Supervisor("Celery", 0, tasks={"run/app.slow": 2}), None, True),
        (None, 5.0, True),
        (Supervisor("uvicorn", 5, is_for_requests=False), None, False),
        (None, None, False),
    ],
)
def test_ends_are_looked_at_where_somebody_kills_requests(
    supervisor: Supervisor | None, seconds: float | None, is_asked: bool
) -> None:
    """Elsewhere they cost nothing."""
    assert Watch(supervisor, seconds).trigger.kills_requests() is is_asked


def test_short_requests_cost_no_look() -> None:
    """Who kills is asked when a request has been open for a while."""
    watch = Watch(Supervisor("gunicorn", 10))
    watch.start()
    watch.after(0.2)
    del watch.open_spans.roots[1]

    assert watch.after(5) == []
    assert watch.asked == 0
