"""The trigger for spans that failed."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status, StatusCode

from otel_flight.assembly import Settings
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.triggers.error_span import ErrorSpanTrigger
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from tests.support.made_span import SECOND, SPAN_ID, TRACE_ID, exception_event, made_span

ERROR = Status(StatusCode.ERROR, "ValueError: no")


def fired(span: ReadableSpan, *, is_root: bool = True, **settings: Any) -> list[Firing]:
    """Return what the trigger says to a span."""
    inbox = FiringInbox()
    ErrorSpanTrigger(Settings(**settings), OpenSpans(10), inbox).span_ended(span, is_root)
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
    assert firing.fingerprint == ("error_span", "GET /", "ValueError", location)


def test_an_error_without_an_exception_fires() -> None:
    """Somebody set the status by hand."""
    (firing,) = fired(made_span(status=Status(StatusCode.ERROR)))

    assert firing.attributes == {}


@pytest.mark.parametrize("status", [StatusCode.UNSET, StatusCode.OK])
def test_a_span_without_an_error_does_not_fire(status: StatusCode) -> None:
    """An exception that was recorded and dealt with is no failure."""
    assert fired(made_span(status=Status(status), events=(exception_event(),))) == []


def test_an_exception_without_an_error_fires_when_asked_for() -> None:
    """Cancellation leaves a span so; without an exception there is still nothing to tell."""
    cancelled = made_span(events=(exception_event("CancelledError"),))

    assert len(fired(cancelled, error_cancelled=True)) == 1
    assert fired(made_span(), error_cancelled=True) == []
    assert fired(made_span(events=(Event("other"),)), error_cancelled=True) == []


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
