"""The trigger for local roots that took too long."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_flight.assembly import Settings
from otel_flight.ground.clock import SYSTEM_CLOCK
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.testing import FakeClock
from otel_flight.triggers.base import TriggerContext
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.triggers.roots.route_limits import RouteLimits, is_any_set
from otel_flight.triggers.roots.slow_roots import SlowRoots
from otel_flight.triggers.slow_root import SlowRootTrigger
from tests.support.spans.made_span import SECOND, SPAN_ID, TRACE_ID, made_span

ROUTES = (("GET /report*", 5.0), ("GET /report/all", 60.0), ("POST /bulk", None), ("GET *", 0.5))


def fired(
    *spans: ReadableSpan, seconds: float = 2.5, known: SlowRoots | None = None, **settings: Any
) -> list[Firing]:
    """Return what the trigger says to spans that took so long by our own clock."""
    inbox, clock = FiringInbox(), FakeClock()
    context = TriggerContext(OpenSpans(10), inbox, clock)
    if known is not None:
        context.slow_roots.told.update(known.told)
        context.slow_roots.answered_ns.update(known.answered_ns)
    trigger = SlowRootTrigger(RouteLimits(Settings(**settings), context.latency), context)
    started_ns = clock.monotonic_ns()
    clock.advance(seconds)
    for span in spans:
        trigger.root_ended(span, (span, 77, None, started_ns))
    return inbox.take_all()


def request(name: Any = "GET /", **fields: Any) -> ReadableSpan:
    """Return the span of a request."""
    return made_span(name, kind=SpanKind.SERVER, **fields)


def test_a_local_root_that_took_too_long_fires() -> None:
    """With how long it took and how long it might have taken."""
    (firing,) = fired(request(seconds=2))

    assert (firing.trigger, firing.reason) == ("slow_root", "slow local root")
    assert (firing.subject, firing.fingerprint) == ("GET /", ("slow_root", "GET /"))
    assert (firing.trace_id, firing.span_id) == (TRACE_ID, SPAN_ID)
    assert firing.time_ns == 7 * SECOND
    assert firing.attributes == {
        "flight_recorder.duration_ns": 2.5 * SECOND,
        "flight_recorder.limit_ns": SECOND,
    }


@pytest.mark.parametrize("seconds", [0, 0.5, 1, -3])
def test_one_that_did_not_take_longer_than_its_limit_does_not(seconds: float) -> None:
    """Exactly the limit is not too long, and less than no time neither."""
    assert fired(request(), seconds=seconds) == []


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 5 * SECOND), (5 * SECOND, 0), ("now", None), (float("nan"), float("inf")), ([], {})],
)
def test_the_times_of_a_span_do_not_count(start: Any, end: Any) -> None:
    """It may have been given its message's time for a start; a test may set the clock."""
    assert fired(request(start=start, end=end), seconds=0.1) == []
    assert len(fired(request(start=start, end=end), seconds=1.1)) == 1


def test_a_root_that_was_not_seen_to_start_does_not_fire() -> None:
    """How long it took is not known."""
    inbox = FiringInbox()
    context = TriggerContext(OpenSpans(10), inbox)
    trigger = SlowRootTrigger(RouteLimits(Settings(), context.latency), context)
    trigger.root_ended(request(), None)

    assert inbox.take_all() == []


def test_a_root_that_fired_while_it_was_open_does_not_fire_again() -> None:
    """It is one slow request, and not one more."""
    known = SlowRoots()
    known.told[SPAN_ID] = None

    assert fired(request(), known=known) == []


@pytest.mark.parametrize(("answered", "is_slow"), [(0.2, False), (1.2, True)])
def test_a_request_is_measured_to_the_beginning_of_its_answer(
    answered: float, is_slow: bool
) -> None:
    """What is streamed afterwards takes as long as it takes; a limit of its own counts wholly."""
    known = SlowRoots()
    known.answered_ns[SPAN_ID] = int(answered * SECOND)

    assert bool(fired(request(), known=known)) is is_slow
    assert len(fired(request(), known=known, slow_root_routes="GET *=1s")) == 1


SOCKET = {"http.scheme": "ws"}
EVENTS = {"http.response.header.content_type": ["text/event-stream; charset=utf-8"]}


@pytest.mark.parametrize(
    ("kind", "attributes", "is_slow"),
    [
        (SpanKind.SERVER, {"url.scheme": "https"}, True),
        (SpanKind.SERVER, SOCKET, False),
        (SpanKind.SERVER, {"url.scheme": "wss"}, False),
        (SpanKind.SERVER, {"http.response.status_code": 101}, False),
        (SpanKind.SERVER, EVENTS, False),
        (SpanKind.CONSUMER, {"messaging.operation.type": "process"}, True),
        (SpanKind.CONSUMER, {"messaging.operation.type": "receive"}, False),
        (SpanKind.CONSUMER, {"messaging.operation": "receive"}, False),
        (SpanKind.CONSUMER, {"messaging.operation.name": "poll"}, False),
        (SpanKind.CLIENT, {}, False),
        (SpanKind.PRODUCER, {}, False),
        (SpanKind.INTERNAL, {}, False),
    ],
)
def test_the_kind_of_a_root_decides_how_long_it_may_take(
    kind: SpanKind, attributes: dict[str, Any], is_slow: bool
) -> None:
    """What is no request is not slow after a second; a limit for its name is a limit."""
    span = made_span(kind=kind, attributes=attributes)

    assert bool(fired(span)) is is_slow
    assert len(fired(span, slow_root_routes="GET *=1s")) == 1


def test_a_job_has_a_limit_of_its_own() -> None:
    """Unless there is one for everything; streams have none even then."""
    stream = request(attributes=SOCKET)

    assert fired(made_span(), seconds=3599) == []
    assert len(fired(made_span(), seconds=3601)) == 1
    assert len(fired(made_span(), slow_job_seconds=1)) == 1
    assert len(fired(made_span(), slow_root_seconds=1)) == 1
    assert fired(made_span(), slow_job_seconds=None, seconds=1e6) == []
    assert fired(stream, slow_root_seconds=1) == []


def _stream_interceptor(span: ReadableSpan) -> list[Firing]:
    return fired(span)


def test_a_stream_of_grpc_is_told_by_the_code_that_ends_it() -> None:
    """Its instrumentation says nothing of it: only the package makes the difference here."""
    streaming = _stream_interceptor.__code__.replace(co_filename="/venv/grpc/_aio_server.py")
    of_grpc = FunctionType(streaming, globals())

    assert of_grpc(request()) == []
    assert len(_stream_interceptor(request())) == 1


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
    assert bool(fired(request(name), seconds=seconds, slow_root_routes=ROUTES)) is is_slow


def test_without_a_global_limit_only_routes_fire() -> None:
    """The global one can be off."""
    settings: dict[str, Any] = {"slow_root_seconds": None, "slow_root_routes": ROUTES}

    assert fired(request("DELETE /"), seconds=1000, **settings) == []
    assert len(fired(request(), seconds=1, **settings)) == 1


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
        assert limits.set_ns(f"GET /{number}") == 0.5 * SECOND

    assert len(limits._cache) <= 1024


@pytest.mark.parametrize("name", [None, 5, ["a"], b"x"])
def test_odd_names_fire_as_well(name: Any) -> None:
    """Whatever the root was called."""
    (firing,) = fired(request(name), slow_root_routes=ROUTES)

    assert isinstance(firing.subject, str)
