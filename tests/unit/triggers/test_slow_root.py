"""The trigger for local roots that took too long."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.assembly import Settings
from otel_flight.clock import SYSTEM_CLOCK
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.triggers.roots.route_limits import RouteLimits, is_any_set
from otel_flight.triggers.slow_root import SlowRootTrigger
from tests.support.made_span import SECOND, SPAN_ID, TRACE_ID, made_span

ROUTES = (("GET /report*", 5.0), ("GET /report/all", 60.0), ("POST /bulk", None), ("GET *", 0.5))


def fired(span: ReadableSpan, **settings: Any) -> list[Firing]:
    """Return what the trigger says to a span."""
    inbox = FiringInbox()
    limits = RouteLimits(Settings(**settings), LearnedLimits(SYSTEM_CLOCK))
    SlowRootTrigger(limits, inbox).root_ended(span)
    return inbox.take_all()


def test_a_local_root_that_took_too_long_fires() -> None:
    """With how long it took and how long it might have taken."""
    (firing,) = fired(made_span(seconds=2.5))

    assert (firing.trigger, firing.reason) == ("slow_root", "slow local root")
    assert (firing.subject, firing.fingerprint) == ("GET /", ("slow_root", "GET /"))
    assert (firing.trace_id, firing.span_id) == (TRACE_ID, SPAN_ID)
    assert firing.time_ns == 7.5 * SECOND
    assert firing.attributes == {
        "flight_recorder.duration_ns": 2.5 * SECOND,
        "flight_recorder.limit_ns": SECOND,
    }


@pytest.mark.parametrize("seconds", [0, 0.5, 1, -3])
def test_one_that_did_not_take_longer_than_its_limit_does_not(seconds: float) -> None:
    """Exactly the limit is not too long, and less than no time neither."""
    assert fired(made_span(seconds=seconds)) == []


@pytest.mark.parametrize(
    ("name", "seconds", "is_slow"),
    [
        ("GET /report/1", 4, False),
        ("GET /report/1", 6, True),
        ("GET /report/all", 6, True),
        ("POST /bulk", 10_000, False),
        ("GET /", 0.6, True),
        ("get /", 0.6, False),
        ("DELETE /", 0.9, False),
        ("DELETE /", 1.1, True),
    ],
)
def test_the_first_route_that_matches_counts(name: str, seconds: float, is_slow: bool) -> None:
    """Each route has its limit or none; others have the global one."""
    assert bool(fired(made_span(name, seconds=seconds), slow_root_routes=ROUTES)) is is_slow


def test_without_a_global_limit_only_routes_fire() -> None:
    """The global one can be off."""
    settings: dict[str, Any] = {"slow_root_seconds": None, "slow_root_routes": ROUTES}

    assert fired(made_span("DELETE /", seconds=1000), **settings) == []
    assert len(fired(made_span("GET /", seconds=1), **settings)) == 1


@pytest.mark.parametrize(
    ("settings", "is_any"),
    [
        ({}, True),
        ({"slow_root_seconds": None}, False),
        ({"slow_root_seconds": None, "slow_root_routes": (("POST /bulk", None),)}, False),
        ({"slow_root_seconds": None, "slow_root_routes": ROUTES}, True),
    ],
)
def test_it_is_known_whether_there_is_any_limit(settings: dict[str, Any], is_any: bool) -> None:
    """Without one the trigger need not be asked at all."""
    assert is_any_set(Settings(**settings)) is is_any


def test_very_many_names_are_not_all_remembered() -> None:
    """A service that puts ids into its names does not fill the memory."""
    limits = RouteLimits(Settings(slow_root_routes=ROUTES), LearnedLimits(SYSTEM_CLOCK))
    for number in range(5000):
        assert limits.limit_ns(f"GET /{number}") == 0.5 * SECOND

    assert len(limits._cache) <= 1024


@pytest.mark.parametrize("name", [None, 5, ["a"], b"x"])
def test_odd_names_fire_as_well(name: Any) -> None:
    """Whatever the root was called."""
    (firing,) = fired(made_span(name, seconds=100), slow_root_routes=ROUTES)

    assert isinstance(firing.subject, str)


@pytest.mark.parametrize(
    ("start", "end", "is_slow"),
    [
        (5.5e9, 9e9, True),
        (5.0 * SECOND, float("inf"), True),
        (float("nan"), 9e9, False),
        ("now", 5, False),
        (5, "later", False),
        ([], {}, False),
    ],
)
def test_odd_times_do_not_raise(start: Any, end: Any, is_slow: bool) -> None:
    """Floats are times too; with what is no number there is nothing to measure."""
    assert bool(fired(made_span(start=start, end=end))) is is_slow


def test_a_span_without_times_does_not_fire() -> None:
    """It is made by hand, and not finished."""
    assert fired(ReadableSpan("GET /")) == []
