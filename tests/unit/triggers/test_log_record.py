"""The trigger for log records at or above a level."""

from __future__ import annotations

import logging

import pytest

from otel_flight.names import event_names, source_names
from otel_flight.names import log_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.log_record import LogRecordTrigger
from tests.support.made_span import SECOND, SPAN_ID, TRACE_ID


def fired(*events: RuntimeEvent, level: str = "ERROR") -> list[Firing]:
    """Return what the trigger makes of these events."""
    inbox = FiringInbox()
    trigger = LogRecordTrigger(level, inbox)
    for event in events:
        trigger.event_recorded(event)
    return inbox.take_all()


def record(
    level: str = "ERROR", *, message: str = "no", line: int = 3, source: str = source_names.LOGS
) -> RuntimeEvent:
    """Return a log record."""
    attributes = {
        names.LOGGER: "shop.orders",
        names.SEVERITY: level,
        names.LEVEL: logging.getLevelName(level),
        names.MESSAGE: message,
        "code.file.path": "orders.py",
        "code.line.number": line,
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
