"""The error trigger for spans below a local root: told of the request, and none is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from otel_flight.recording.open_spans import OpenRoot
from otel_flight.testing.fake_clock import FakeClock
from otel_flight.triggers.base import TriggerContext
from otel_flight.triggers.error_span import ErrorSpanTrigger
from otel_flight.triggers.gate.firing import FiringInbox
from otel_flight.triggers.gate.severity import Severity
from tests.support.rigs.recording_rig import RecordingRig

FAILED = Status(StatusCode.ERROR)


class TriggeringRig(RecordingRig):
    """A rig whose spans the trigger sees when they end.

    Args:
        directory: where the ring's file goes.
        **settings: as `Settings` takes them.
    """

    def __init__(self, directory: Path, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self.inbox = FiringInbox()
        self.clock = FakeClock()
        context = TriggerContext(self.session.open_spans, self.inbox, self.clock)
        self.errors_below = context.errors_below
        self.trigger = ErrorSpanTrigger(self.settings, context)

    def _note(self, span: ReadableSpan, is_local_root: bool) -> None:
        self.trigger.span_ended(span, is_local_root)

    def _root_ended(self, span: ReadableSpan, root: OpenRoot | None) -> None:
        self.errors_below.root_ended(span, root)

    def told(self) -> list[tuple[str, str, Severity]]:
        """Return subject, origin and severity of what fired since the last call."""
        taken = self.inbox.take_all()
        return [(firing.subject, firing.origin, firing.severity) for firing in taken]

    def fail(self, name: str, kind: type[Exception] | None = ValueError) -> None:
        """Let a span fail by an exception; None: by its status alone."""
        with contextlib.suppress(Exception), self.tracer.start_as_current_span(name) as span:
            if kind is not None:
                raise kind("no")
            span.set_status(FAILED)


@pytest.fixture
def rig(own_environment: Path) -> Iterator[TriggeringRig]:
    """A ring that is recorded into."""
    with TriggeringRig(own_environment) as rig:
        yield rig
        assert rig.guard.errors() == ()


SURVIVED = Severity.SURVIVED


def test_an_error_that_its_local_root_survived_is_the_least(rig: TriggeringRig) -> None:
    """It is told of the request, when that has ended."""
    with rig.tracer.start_as_current_span("GET /x"):
        with rig.tracer.start_as_current_span("load"):
            rig.fail("read cache")
        rig.errors_below.watch()
        assert rig.told() == []

    assert rig.told() == [("GET /x", "read cache", SURVIVED)]


def test_the_span_that_failed_is_the_one_that_fired(rig: TriggeringRig) -> None:
    """Its ids, and its own name in the fingerprint: the same query fails for any request."""
    with rig.tracer.start_as_current_span("GET /x"):
        child = rig.tracer.start_span("SELECT")
        child.record_exception(ValueError("no"))
        child.set_status(FAILED)
        child.end()
    (firing,) = rig.inbox.take_all()

    context = child.get_span_context()
    assert (firing.trace_id, firing.span_id) == (context.trace_id, context.span_id)
    assert firing.fingerprint[:3] == ("error_span", "SELECT", "ValueError")


def test_a_request_that_fails_tells_what_failed_it(rig: TriggeringRig) -> None:
    """Once, with the span below where its exception came from, and not one dealt with before."""
    with contextlib.suppress(OSError), rig.tracer.start_as_current_span("GET /x") as root:
        rig.fail("read cache", KeyError)
        rig.fail("GET /x http send", None)
        with rig.tracer.start_as_current_span("load"):
            raise OSError("no")
    (firing,) = rig.inbox.take_all()

    assert (firing.subject, firing.origin) == ("GET /x", "load")
    assert firing.severity is Severity.FAILED
    assert firing.span_id == root.get_span_context().span_id
    assert firing.attributes["exception.type"] == "OSError"


def test_an_exception_turned_into_another_is_where_it_came_from(rig: TriggeringRig) -> None:
    """The traceback of the last one names the first one."""
    with contextlib.suppress(OSError), rig.tracer.start_as_current_span("GET /x"):
        try:
            with rig.tracer.start_as_current_span("load"):
                raise KeyError("no")
        except KeyError as error:
            raise OSError("lost") from error

    (firing,) = rig.inbox.take_all()
    assert (firing.subject, firing.origin) == ("GET /x", "load")
    assert firing.attributes["exception.type"] == "KeyError"


def test_a_request_that_fails_without_an_exception_has_that_of_a_child(rig: TriggeringRig) -> None:
    """An answer of 500 by hand says nothing itself."""
    with rig.tracer.start_as_current_span("GET /x") as root:
        rig.fail("load")
        root.set_status(FAILED)
    (firing,) = rig.inbox.take_all()

    assert (firing.subject, firing.origin) == ("GET /x", "load")
    assert firing.attributes["exception.type"] == "ValueError"


def test_a_request_that_is_not_to_fire_leaves_its_children_to_do_so(
    own_environment: Path,
) -> None:
    """They were asked for by name; the request has failed, so they are no small matter."""
    with TriggeringRig(own_environment, error_span_names="load") as rig:
        with rig.tracer.start_as_current_span("GET /x") as root:
            rig.fail("load")
            root.set_status(FAILED)

        assert rig.told() == [("GET /x", "load", Severity.OTHER)]


def test_what_a_request_was_refused_for_does_not_fire(rig: TriggeringRig) -> None:
    """Whoever answered 404 expected what failed below."""
    with rig.tracer.start_as_current_span("GET /x", kind=SpanKind.SERVER) as root:
        rig.fail("load item", KeyError)
        root.set_attribute("http.response.status_code", 404)

    assert rig.told() == []


@pytest.mark.parametrize("ended", ["late", "never seen to", "with the program"])
def test_an_error_does_not_wait_for_ever(rig: TriggeringRig, ended: str) -> None:
    """Its root may hang, or end unseen; that the request survives it is all that is known then."""
    root = rig.tracer.start_span("GET /x")
    with trace.use_span(root):
        rig.fail("load")
    if ended == "with the program":
        rig.errors_below.settle()
    elif ended == "late":
        rig.clock.advance(3)
        rig.errors_below.watch()
    else:
        rig.session.open_spans.roots.clear()
        rig.errors_below.watch()

    assert rig.told() == [("GET /x", "load", SURVIVED)]
    root.end()
    assert rig.told() == []


def test_few_errors_wait_for_one_request(rig: TriggeringRig) -> None:
    """A batch of a thousand bad rows is one request, and one cause here."""
    with rig.tracer.start_as_current_span("job"):
        for number in range(1000):
            rig.fail(f"row {number}")

    assert rig.inbox.repeated == 7
    assert rig.told() == [("job", "row 992", SURVIVED)]


def test_errors_wait_for_a_bounded_number_of_requests(rig: TriggeringRig) -> None:
    """Those of further ones are told at once."""
    for _ in range(1024):
        with trace.use_span(rig.tracer.start_span("hangs")):
            rig.fail("load")
    assert rig.told() == []

    with trace.use_span(rig.tracer.start_span("one more")):
        rig.fail("load")

    assert rig.told() == [("one more", "load", SURVIVED)]


@pytest.mark.parametrize("which", ["unhandled", "root"])
def test_what_a_request_survived_does_not_fire_when_not_asked_for(
    own_environment: Path, which: str
) -> None:
    """A task that outlives its request has no root that could survive its error."""
    with TriggeringRig(own_environment, error_span=which) as rig:
        with rig.tracer.start_as_current_span("GET /x") as root:
            rig.fail("read cache")
        with trace.use_span(root):
            rig.fail("task")

        expected = [("task", "", Severity.OTHER)] if which == "unhandled" else []
        assert rig.told() == expected


def test_a_root_of_a_remote_parent_is_the_request(rig: TriggeringRig) -> None:
    """What called the service is not looked for in it."""
    caller = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    context = trace.set_span_in_context(NonRecordingSpan(caller))
    root = rig.tracer.start_span("GET /x", context)
    with trace.use_span(root):
        rig.fail("load")
    root.set_status(FAILED)
    root.end()

    assert rig.told() == [("GET /x", "load", Severity.FAILED)]


@pytest.mark.parametrize("ended", ["root", "between"])
def test_a_child_without_an_open_way_up_is_told_by_itself(rig: TriggeringRig, ended: str) -> None:
    """A background task that outlives its request, or whatever began it."""
    root = rig.tracer.start_span("GET /x")
    between = rig.tracer.start_span("begin task", trace.set_span_in_context(root))
    child = rig.tracer.start_span("task", trace.set_span_in_context(between))
    {"root": root, "between": between}[ended].end()
    if ended == "root":
        between.end()
    child.set_status(FAILED)
    child.end()

    assert rig.told() == [("task", "", Severity.OTHER)]


def test_the_way_up_is_bounded(rig: TriggeringRig) -> None:
    """Under a thousand others a span is told by itself, not so deep of its request."""
    spans = [rig.tracer.start_span("GET /x")]
    for _ in range(1000):
        spans.append(rig.tracer.start_span("deep", trace.set_span_in_context(spans[-1])))
    for span in (spans[-1], spans[20], spans[0]):
        span.set_status(FAILED)
        span.end()

    assert [told[:2] for told in rig.told()] == [("GET /x", ""), ("deep", "")]
