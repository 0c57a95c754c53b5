"""The trigger for exceptions that nobody handled."""

from __future__ import annotations

import pytest

from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.unhandled_exception import UnhandledExceptionTrigger
from tests.support.spans.made_span import SECOND, SPAN_ID, TRACE_ID


def fired(*events: RuntimeEvent) -> list[Firing]:
    """Return what the trigger makes of these events."""
    inbox = FiringInbox()
    trigger = UnhandledExceptionTrigger(inbox)
    for event in events:
        trigger.event_recorded(event)
    return inbox.take_all()


def exception(
    kind: str = "KeyError",
    *,
    source: str = source_names.EXCEPTIONS,
    name: str = event_names.UNHANDLED_EXCEPTION,
    function: str = "consume",
    line: int = 3,
) -> RuntimeEvent:
    """Return an exception that ended a thread."""
    attributes = {
        names.ENDED: names.THREAD,
        names.WHERE: "consumer",
        names.TYPE: kind,
        names.MESSAGE: "'x'",
        "code.function.name": function,
        "code.file.path": "jobs.py",
        "code.line.number": line,
    }
    times = 5 * SECOND, 5 * SECOND
    return RuntimeEvent(
        source, name, *times, 77, TRACE_ID >> 64, TRACE_ID & (1 << 64) - 1, SPAN_ID, attributes
    )


def test_an_unhandled_exception_fires() -> None:
    """For its span, with its type as the subject and all that is known of it."""
    (firing,) = fired(exception())

    assert (firing.trigger, firing.reason) == ("unhandled_exception", "unhandled exception")
    assert firing.subject == "KeyError"
    assert firing.time_ns == 5 * SECOND
    assert (firing.trace_id, firing.span_id) == (TRACE_ID, SPAN_ID)
    assert firing.attributes == exception().attributes


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(exception(name=event_names.UNRAISABLE_EXCEPTION), id="of-a-finalizer"),
        pytest.param(exception(name=event_names.RAISED_EXCEPTION), id="raised-and-caught"),
        pytest.param(exception(source="logs"), id="another-source"),
    ],
)
def test_anything_else_does_not_fire(event: RuntimeEvent) -> None:
    """Where nothing ended there is no incident."""
    assert fired(event) == []


def test_the_same_cause_is_type_and_function() -> None:
    """Whichever line of it raised."""
    events = (exception(), exception(line=7), exception("ValueError"), exception(function="work"))

    assert len(fired(*events)) == 3


def test_an_exception_without_a_place() -> None:
    """One that was never raised in Python fires as well."""
    event = RuntimeEvent(source_names.EXCEPTIONS, event_names.UNHANDLED_EXCEPTION, 1, 1)

    (firing,) = fired(event)

    assert (firing.subject, firing.trace_id) == ("", 0)
