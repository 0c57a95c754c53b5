"""The trigger for log records at or above a level."""

from __future__ import annotations

import logging

import pytest

from otel_flight.assembly import Settings
from otel_flight.names import event_names, source_names
from otel_flight.names import log_attributes as names
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.base import TriggerContext
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.gate.severity import Severity
from otel_flight.triggers.log_record import LogRecordTrigger
from tests.support.spans.made_span import SECOND, SPAN_ID, TRACE_ID, made_span


def fired(
    *events: RuntimeEvent,
    level: str | None = "ERROR",
    is_exception_enough: bool = True,
    is_served: bool = True,
) -> list[Firing]:
    """Return what the trigger makes of these events, by the time nothing is served any more."""
    inbox = FiringInbox()
    context = TriggerContext(OpenSpans(10), inbox)
    if is_served:
        context.open_spans.roots[SPAN_ID] = (made_span(), 77, None, 0)
    settings = Settings(log_trigger_level=level, log_exception_trigger=is_exception_enough)
    trigger = LogRecordTrigger(settings, context)
    for event in events:
        trigger.event_recorded(event)
    context.errors_below.root_ended(made_span(), None)
    return inbox.take_all()


def record(
    level: str = "ERROR",
    *,
    message: str = "no",
    line: int = 3,
    source: str = source_names.LOGS,
    exception: str = "",
    logger: str = "shop.orders",
) -> RuntimeEvent:
    """Return a log record."""
    attributes = {
        names.LOGGER: logger,
        names.SEVERITY: level,
        names.LEVEL: logging.getLevelName(level),
        names.MESSAGE: message,
        "code.file.path": "orders.py",
        "code.line.number": line,
        **({"exception.type": exception} if exception else {}),
    }
    times = 5 * SECOND, 5 * SECOND
    ids = 77, TRACE_ID >> 64, TRACE_ID & (1 << 64) - 1, SPAN_ID
    return RuntimeEvent(source, event_names.LOG_RECORD, *times, *ids, attributes)


def test_a_record_at_the_level_fires() -> None:
    """For the span it was logged in, with the logger as the subject."""
    (firing,) = fired(record())

    assert (firing.trigger, firing.reason) == ("log_record", "log record ERROR")
    assert firing.subject == "shop.orders"
    assert firing.time_ns == 5 * SECOND
    assert (firing.trace_id, firing.span_id) == (TRACE_ID, SPAN_ID)
    assert firing.attributes == record().attributes


@pytest.mark.parametrize(
    ("level", "expected"),
    [("WARNING", ["WARNING", "ERROR", "CRITICAL"]), ("CRITICAL", ["CRITICAL"])],
)
def test_the_level_and_all_above_it_fire(level: str, expected: list[str]) -> None:
    """As levels do everywhere in `logging`."""
    levels = ("INFO", "WARNING", "ERROR", "CRITICAL")
    events = [record(each, line=line) for line, each in enumerate(levels)]

    firings = fired(*events, level=level)

    assert [firing.attributes[names.SEVERITY] for firing in firings] == expected


def test_anything_else_does_not_fire() -> None:
    """Another source's events, and the note that records were left out."""
    left_out = RuntimeEvent(
        source_names.LOGS, event_names.LOG_RECORDS_LEFT_OUT, 1, 1, attributes={names.LEFT_OUT: 5}
    )

    assert fired(record(source="exceptions"), left_out) == []


def test_the_same_cause_is_the_same_line() -> None:
    """Whatever its message says this time."""
    assert len(fired(record(), record(message="not this one either"), record(line=9))) == 2


def test_an_exception_logged_within_a_request_fires_at_the_lowest_severity() -> None:
    """Whoever logged it went on; the request went well, as far as is known."""
    logged = record(exception="ValueError")
    (firing,) = fired(logged, level=None)

    assert firing.severity is Severity.SURVIVED
    assert (firing.trigger, firing.subject, firing.span_id) == (
        "log_record",
        "shop.orders",
        SPAN_ID,
    )
    assert fired(logged, level="ERROR")[0].severity is Severity.OTHER
    assert fired(logged, level=None, is_exception_enough=False) == []


def test_an_exception_logged_elsewhere_does_not_fire() -> None:
    """As a warning, without an exception, where nothing is served, or about telemetry itself."""
    warning = record("WARNING", exception="ValueError")
    telemetry = record(exception="ValueError", logger="opentelemetry.context")

    assert fired(warning, record(), telemetry, level=None) == []
    assert fired(record(exception="ValueError"), level=None, is_served=False) == []
