"""The trigger that watches the stalls of event loops."""

from __future__ import annotations

import dataclasses

import msgspec

from otel_flight.names import attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.triggers.gate.firing import FiringInbox
from otel_flight.triggers.gate.severity import Severity
from otel_flight.triggers.loop_stall import LoopStallTrigger

MS = 1_000_000
STALL = RuntimeEvent(
    "event_loop",
    "event loop blocked",
    5_000 * MS,
    6_200 * MS,
    7,
    0,
    0xA1,
    0xB2,
    {names.FUNCTION: "compute", names.FILE: "/shop/app.py", names.LINE: 12, names.CALL: "sleep"},
)


def test_a_long_stall_fires_for_the_span_that_makes_it() -> None:
    """The firing says what blocked the loop, where, and for how long."""
    inbox = FiringInbox()

    LoopStallTrigger(1.0, inbox).event_recorded(STALL)

    (firing,) = inbox.take_all()
    assert dataclasses.asdict(firing) == {
        "trigger": "loop_stall",
        "reason": "event loop blocked",
        "subject": "compute",
        "fingerprint": ("loop_stall", "event loop blocked", "compute"),
        "time_ns": 6_200 * MS,
        "trace_id": 0xA1,
        "span_id": 0xB2,
        "attributes": {
            "flight_recorder.duration_ns": 1_200 * MS,
            "flight_recorder.limit_ns": 1_000 * MS,
            "code.function.name": "compute",
            "code.file.path": "/shop/app.py",
            "code.line.number": 12,
            "flight_recorder.call": "sleep",
        },
        "origin": "",
        "severity": Severity.OTHER,
    }


def test_a_stall_that_goes_on_fires_once() -> None:
    """It is recorded again and again while it lasts; the next stall is another one."""
    inbox = FiringInbox()
    trigger = LoopStallTrigger(1.0, inbox)

    for end_ns in (5_500, 6_100, 7_000, 9_000):
        trigger.event_recorded(msgspec.structs.replace(STALL, end_ns=end_ns * MS))
    first = inbox.take_all()
    trigger.event_recorded(msgspec.structs.replace(STALL, start_ns=20_000 * MS, end_ns=22_000 * MS))
    second = inbox.take_all()

    assert [firing.time_ns for firing in first] == [6_100 * MS]
    assert [firing.time_ns for firing in second] == [22_000 * MS]


def test_short_stalls_and_other_sources_do_not_fire() -> None:
    """A stall under the limit is recorded and nothing else; a long collection is no stall."""
    inbox = FiringInbox()
    trigger = LoopStallTrigger(1.0, inbox)

    trigger.event_recorded(msgspec.structs.replace(STALL, end_ns=5_999 * MS))
    trigger.event_recorded(msgspec.structs.replace(STALL, source="gc"))

    assert inbox.take_all() == []
