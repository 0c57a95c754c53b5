"""The error trigger for spans below a local root: told of the request, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from otel_flight.triggers.error_span import ErrorSpanTrigger
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from tests.support.recording_rig import RecordingRig

FAILED = Status(StatusCode.ERROR)


class TriggeringRig(RecordingRig):
    """A rig whose spans the trigger sees when they end."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.inbox = FiringInbox()
        self.trigger = ErrorSpanTrigger(self.settings, self.session.open_spans, self.inbox)

    def _note(self, span: ReadableSpan, is_local_root: bool) -> None:
        self.trigger.span_ended(span, is_local_root)

    def told(self) -> list[tuple[str, str]]:
        """Return the subject and the origin of what fired since the last call."""
        return [(firing.subject, firing.origin) for firing in self.inbox.take_all()]


@pytest.fixture
def rig(own_environment: Path) -> Iterator[TriggeringRig]:
    """A ring that is recorded into."""
    with TriggeringRig(own_environment) as rig:
        yield rig
        assert rig.guard.errors() == ()


def send_answer(rig: TriggeringRig) -> None:
    """Do what an ASGI instrumentation does for an answer of 500."""
    with rig.tracer.start_as_current_span("GET /x http send") as span:
        span.set_status(FAILED)


def by_name(firings: list[Firing]) -> dict[str, Firing]:
    """Return firings by the name of the span that fired."""
    return {firing.origin or firing.subject: firing for firing in firings}


def test_a_child_that_failed_is_told_of_its_local_root(rig: TriggeringRig) -> None:
    """At once, as the root may handle it or hang: its name first, and where below it."""
    with rig.tracer.start_as_current_span("GET /x"):
        with rig.tracer.start_as_current_span("load"):
            send_answer(rig)
        told = rig.told()

    assert told == [("GET /x", "GET /x http send")]
    assert rig.told() == [], "a root that went well adds nothing, and takes nothing back"


def test_the_span_that_failed_is_still_the_one_that_fired(rig: TriggeringRig) -> None:
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


def test_a_status_alone_is_told_better_by_the_root(rig: TriggeringRig) -> None:
    """Whose id the firing has; an exception of its own is told by the child itself."""
    with rig.tracer.start_as_current_span("GET /x") as root:
        with pytest.raises(ValueError, match="no"), rig.tracer.start_as_current_span("load"):
            raise ValueError("no")
        send_answer(rig)
        root.set_status(FAILED)
    found = by_name(rig.inbox.take_all())

    assert list(found) == ["load", "GET /x http send", "GET /x"]
    root_id = root.get_span_context().span_id
    assert found["GET /x"].span_id == root_id
    assert [firing.yields_to for firing in found.values()] == [0, root_id, 0]


def test_a_root_of_a_remote_parent_is_the_request(rig: TriggeringRig) -> None:
    """What called the service is not looked for in it."""
    caller = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    context = trace.set_span_in_context(NonRecordingSpan(caller))
    root = rig.tracer.start_span("GET /x", context)
    with trace.use_span(root):
        send_answer(rig)
    root.set_status(FAILED)
    root.end()

    assert rig.told() == [("GET /x", "GET /x http send"), ("GET /x", "")]


@pytest.mark.parametrize("ended", ["root", "between"])
def test_a_child_without_an_open_way_up_is_yields_to_itself(rig: TriggeringRig, ended: str) -> None:
    """A background task that outlives its request, or whatever began it."""
    root = rig.tracer.start_span("GET /x")
    between = rig.tracer.start_span("begin task", trace.set_span_in_context(root))
    child = rig.tracer.start_span("task", trace.set_span_in_context(between))
    {"root": root, "between": between}[ended].end()
    if ended == "root":
        between.end()
    child.set_status(FAILED)
    child.end()

    assert rig.told() == [("task", "")]


def test_the_way_up_is_bounded(rig: TriggeringRig) -> None:
    """Under a thousand others a span is told by itself, not so deep of its request."""
    spans = [rig.tracer.start_span("GET /x")]
    for _ in range(1000):
        spans.append(rig.tracer.start_span("deep", trace.set_span_in_context(spans[-1])))
    told = []
    for span in (spans[-1], spans[20]):
        span.set_status(FAILED)
        span.end()
        told += rig.told()

    assert told == [("deep", ""), ("GET /x", "deep")]
