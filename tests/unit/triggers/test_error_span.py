"""The trigger for spans that failed."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_flight.assembly import Settings
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.triggers.base import TriggerContext
from otel_flight.triggers.error_span import ErrorSpanTrigger
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.gate.severity import Severity
from tests.support.spans.made_span import SECOND, SPAN_ID, TRACE_ID, exception_event, made_span

ERROR = Status(StatusCode.ERROR, "ValueError: no")


def fired(span: ReadableSpan, *, is_root: bool = True, **settings: Any) -> list[Firing]:
    """Return what the trigger says to a span."""
    inbox = FiringInbox()
    context = TriggerContext(OpenSpans(10), inbox)
    ErrorSpanTrigger(Settings(**settings), context).span_ended(span, is_root)
    return inbox.take_all()


def test_a_span_with_an_error_fires() -> None:
    """With its exception, where it was raised, and the span it happened in."""
    try:
        raise ValueError("no")
    except ValueError:
        stacktrace = traceback.format_exc()
    (firing,) = fired(made_span(status=ERROR, events=(exception_event(stacktrace=stacktrace),)))

    assert (firing.trigger, firing.reason, firing.subject) == ("error_span", "error span", "GET /")
    assert (firing.trace_id, firing.span_id, firing.time_ns) == (TRACE_ID, SPAN_ID, 6 * SECOND)
    location = firing.attributes.pop("code.location")
    assert location.startswith(f"{__file__}:")
    assert location.endswith(" in test_a_span_with_an_error_fires")
    assert firing.attributes == {
        "exception.type": "ValueError",
        "exception.message": "no",
        "otel.status_description": "ValueError: no",
    }
    assert firing.fingerprint == ("error_span", "GET /", "ValueError", "ValueError", location)


def test_a_cause_has_no_ids_in_its_name() -> None:
    """Else each user would be one."""
    fingerprints = {
        fired(made_span(f"GET /user/{number}", status=ERROR))[0].fingerprint
        for number in range(100, 150)
    }

    assert len(fingerprints) == 1


def test_the_first_exception_is_told_and_makes_the_cause() -> None:
    """The same line that raises a group, or wraps whatever comes, is many causes."""
    firings = [
        fired(made_span(status=ERROR, events=(exception_event("shop.Failed", stacktrace),)))[0]
        for stacktrace in (WRAPPED, WRAPPED.replace("KeyError", "OSError"))
    ]

    assert firings[0].fingerprint != firings[1].fingerprint
    assert firings[0].attributes["exception.type"] == "shop.Failed"
    assert firings[0].attributes["flight_recorder.exception.chain"] == "KeyError"
    assert firings[0].attributes["code.location"] == "/app/load.py:3 in load"


WRAPPED = (
    "Traceback (most recent call last):\n"
    '  File "/app/load.py", line 3, in load\n    orders[number]\nKeyError: 7\n'
    "\nThe above exception was the direct cause of the following exception:\n\n"
    "Traceback (most recent call last):\n"
    '  File "/app/shop.py", line 5, in shop\n    raise Failed from error\nshop.Failed: 7\n'
)


def test_an_error_without_an_exception_fires() -> None:
    """Somebody set the status by hand."""
    (firing,) = fired(made_span(status=Status(StatusCode.ERROR)))

    assert firing.attributes == {}


@pytest.mark.parametrize("status", [StatusCode.UNSET, StatusCode.OK])
def test_a_span_without_an_error_does_not_fire(status: StatusCode) -> None:
    """An exception that was recorded and dealt with is no failure."""
    assert fired(made_span(status=Status(status), events=(exception_event(),))) == []


@pytest.mark.parametrize(
    "kind",
    [
        "asyncio.exceptions.CancelledError",
        "GeneratorExit",
        "SystemExit",
        "starlette.requests.ClientDisconnect",
    ],
)
def test_what_was_given_up_does_not_fire(kind: str) -> None:
    """Whoever leaves a stream leaves a span with an error."""
    assert fired(made_span(status=ERROR, events=(exception_event(kind),))) == []


OLD, NEW = "http.status_code", "http.response.status_code"
SERVER, CLIENT = SpanKind.SERVER, SpanKind.CLIENT


@pytest.mark.parametrize(
    ("kind", "attributes", "is_fired"),
    [
        (SERVER, {OLD: 404}, False),
        (SERVER, {NEW: 403}, False),
        (SERVER, {NEW: "418"}, False),
        (SERVER, {OLD: 500}, True),
        (SERVER, {NEW: "what"}, True),
        (CLIENT, {OLD: 404}, False),
        (CLIENT, {NEW: 503}, True),
        (SpanKind.CONSUMER, {NEW: 404}, True),
        (CLIENT, {"rpc.grpc.status_code": 5}, False),
        (CLIENT, {"rpc.response.status_code": "NOT_FOUND"}, False),
        (CLIENT, {"rpc.connect_rpc.error_code": "permission_denied"}, False),
        (CLIENT, {"rpc.grpc.status_code": 2}, True),
        (SERVER, {"rpc.response.status_code": "INTERNAL"}, True),
        (SERVER, {"rpc.grpc.status_code": 15}, True),
        (SERVER, {"rpc.grpc.status_code": 14}, True),
        (SERVER, {"rpc.grpc.status_code": 11}, False),
        (CLIENT, {"db.response.status_code": "23505"}, False),
        (CLIENT, {"db.response.status_code": "NOSCRIPT"}, False),
        (CLIENT, {"db.response.status_code": "57014"}, True),
        (CLIENT, {}, True),
        (SERVER, {}, True),
    ],
)
def test_an_expected_answer_does_not_fire(
    kind: SpanKind, attributes: dict[str, Any], is_fired: bool
) -> None:
    """By the conventions of HTTP, gRPC and databases, old and new."""
    span = made_span(status=ERROR, kind=kind, attributes=attributes)

    assert bool(fired(span)) == is_fired


def test_a_script_that_redis_does_not_have_does_not_fire() -> None:
    """The client sends it then, each time that a worker starts."""
    missing = (exception_event("redis.exceptions.NoScriptError"),)

    assert fired(made_span(status=ERROR, kind=CLIENT, events=missing)) == []
    assert len(fired(made_span(status=ERROR, events=missing))) == 1


BY_INSTRUMENTATION = (
    "Traceback (most recent call last):\n"
    '  File "/venv/opentelemetry/trace/__init__.py", line 602, in use_span\n    yield span\n'
    '  File "/app/server.py", line 3, in get\n    raise ValueError\nValueError\n'
)
BY_APPLICATION = BY_INSTRUMENTATION.replace("/opentelemetry/", "/server/")


@pytest.mark.parametrize(
    ("stacktrace", "attributes", "is_fired"),
    [
        (BY_INSTRUMENTATION, {"rpc.system": "grpc", "rpc.grpc.status_code": 0}, True),
        (BY_INSTRUMENTATION, {"rpc.system.name": "grpc"}, True),
        (BY_INSTRUMENTATION, {"rpc.system": "grpc", "rpc.grpc.status_code": 5}, False),
        (BY_APPLICATION, {"rpc.system": "grpc", "rpc.grpc.status_code": 0}, False),
        ("", {"rpc.system": "grpc", "rpc.grpc.status_code": 0}, False),
        (BY_INSTRUMENTATION, {}, False),
    ],
)
def test_a_grpc_handler_that_raised_fires(
    stacktrace: str, attributes: dict[str, Any], is_fired: bool
) -> None:
    """Its instrumentation sets no status; an exception that the handler dealt with is none."""
    event = exception_event(stacktrace=stacktrace)
    span = made_span(kind=SERVER, attributes=attributes, events=(event,))

    assert bool(fired(span)) == is_fired


def test_a_call_of_its_own_is_no_request_that_failed() -> None:
    """What the rest of the program made of it shows nowhere."""
    severities = {kind: fired(made_span(status=ERROR, kind=kind))[0].severity for kind in SpanKind}

    assert severities == {
        SpanKind.INTERNAL: Severity.FAILED,
        SERVER: Severity.FAILED,
        CLIENT: Severity.OTHER,
        SpanKind.PRODUCER: Severity.OTHER,
        SpanKind.CONSUMER: Severity.FAILED,
    }


def test_only_roots_fire_when_asked_for() -> None:
    """A query that failed may have been dealt with by its request."""
    span = made_span(status=ERROR)

    assert fired(span, is_root=False, error_span="root") == []
    assert len(fired(span, is_root=True, error_span="root")) == 1
    assert len(fired(span, is_root=False, error_span="all")) == 1


def test_only_spans_of_certain_names_fire_when_asked_for() -> None:
    """Names are globs."""
    names = ("GET *", "job")

    assert len(fired(made_span("GET /x", status=ERROR), error_span_names=names)) == 1
    assert fired(made_span("POST /x", status=ERROR), error_span_names=names) == []


def test_certain_exceptions_do_not_fire_when_asked_for() -> None:
    """By the type of the last exception; an error without one is not ignored."""
    ignored: dict[str, Any] = {"error_ignore_exceptions": ("*.HTTPException", "Timeout*")}
    http, other = exception_event("fastapi.HTTPException"), exception_event("ValueError")

    assert fired(made_span(status=ERROR, events=(other, http)), **ignored) == []
    assert len(fired(made_span(status=ERROR, events=(http, other)), **ignored)) == 1
    assert len(fired(made_span(status=ERROR), **ignored)) == 1


def test_the_innermost_frame_counts() -> None:
    """The same exception from two places is two causes, from one place one."""
    stacktrace = (
        "Traceback (most recent call last):\n"
        '  File "/app/outer.py", line 3, in outer\n    inner()\n'
        '  File "/app/inner.py", line 7, in inner\n    raise ValueError\nValueError\n'
    )
    (firing,) = fired(made_span(status=ERROR, events=(exception_event(stacktrace=stacktrace),)))

    assert firing.attributes["code.location"] == "/app/inner.py:7 in inner"


@pytest.mark.parametrize(
    "event",
    [
        Event("exception"),
        Event("exception", {}),
        Event("exception", {"exception.type": 5, "exception.stacktrace": [1]}),
        exception_event(stacktrace='  File "'),
        exception_event(stacktrace="x" * 1_000_000),
        exception_event("\ud800", "\udcff", "\udcff" * 1000),
    ],
    ids=["none", "empty", "types", "torn", "long", "surrogates"],
)
def test_odd_exceptions_fire_as_well(event: Event) -> None:
    """Whatever somebody recorded; what is shown of it is bounded."""
    (firing,) = fired(made_span(status=ERROR, events=(event,)), error_span_names=("GET*",))

    assert len(str(firing)) < 20_000


@pytest.mark.parametrize("name", [None, 5, ["a"], "\ud800"])
@pytest.mark.parametrize("end", ["now", 7.5])
def test_odd_spans_fire_as_well(name: Any, end: Any) -> None:
    """Names and times of any type."""
    (firing,) = fired(made_span(name, end=end, status=ERROR), error_span_names=("G*", "[!x]*"))

    assert isinstance(firing.subject, str)
    assert isinstance(firing.time_ns, int)
