"""What else happened: one line for events of one kind, and the most telling kinds first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest

from otel_flight.incidents.incident import Incident
from otel_flight.report.model.other_events import OtherEvents, find_other_events
from otel_flight.report.model.timeline import UNLIMITED
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder, at, place

MS = 1_000_000


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring", window_bytes=4 * 1024**2) as builder:
        yield builder


def other_events_of(incident: Incident, most: int = UNLIMITED) -> OtherEvents:
    """Return what is told of an incident, on an axis that begins when the builder does."""
    explanations = incident.manifest.explanations
    return find_other_events(evidence_of(incident), explanations, at(0), most)


def log(message: str, level: int = 30, line: int = 1) -> dict[str, Any]:
    """Return the attributes of a log record."""
    return {
        "flight_recorder.log.logger": "shop",
        "flight_recorder.log.severity": {30: "WARNING", 40: "ERROR"}[level],
        "flight_recorder.log.level": level,
        "flight_recorder.log.message": message,
        "code.function.name": "get",
        "code.file.path": "/app/cache.py",
        "code.line.number": line,
    }


def test_a_log_record_is_told_with_its_span_and_place(builder: IncidentBuilder) -> None:
    """Severity, logger, message, where it was logged, and in which span of the request."""
    root = builder.open("GET /report", 0)
    charge = builder.open("charge card", 10, root)
    builder.event("logs", "log record", 50, span=charge, attributes=log("slow\nbank"))
    builder.end(charge, 1900)
    builder.end(root, 2000)

    (told,) = other_events_of(builder.incident(builder.slow(root, 2000), closed_ms=3000)).entries

    assert told.text == "WARNING shop: slow bank (get cache.py:1)"
    assert (told.span, told.is_own, told.offset_ns) == ("charge card", True, 50 * MS)


def test_an_exception_is_told_with_what_it_ended(builder: IncidentBuilder) -> None:
    """Type, message, the thread that is gone, and the innermost place of its stack."""
    builder.event(
        "exceptions",
        "unhandled exception",
        50,
        attributes={
            "exception.type": "app.PollError",
            "exception.message": "no queue",
            "flight_recorder.exception.chain": ["KeyError: 'queue'"],
            "flight_recorder.exception.ended": "thread",
            "flight_recorder.exception.where": "poller-1",
        },
        places=[place("run", "/app/main.py", 1), place("poll", "/app/poll.py", 9)],
    )

    (told,) = other_events_of(builder.incident(closed_ms=3000)).entries

    assert told.text == "app.PollError: no queue ended thread poller-1 (poll poll.py:9)"


def test_a_caught_exception_is_told_with_who_caught_it(builder: IncidentBuilder) -> None:
    """The function and its file without the folders, and how often."""
    builder.event(
        "exceptions",
        "raised exception",
        50,
        attributes={
            "exception.type": "KeyError",
            "exception.message": "9",
            "flight_recorder.exception.caught": True,
            "flight_recorder.exception.caught_in": "find (/srv/app/shop/orders.py:20)",
            "flight_recorder.exception.times": 3,
        },
        places=[place("load", "/srv/app/shop/orders.py", 14)],
    )

    (told,) = other_events_of(builder.incident(closed_ms=3000)).entries

    assert told.text == "KeyError: 9 caught in find orders.py:20, 3 times (load orders.py:14)"


def test_equal_log_records_are_told_once(builder: IncidentBuilder) -> None:
    """Of many from one line the one closest to the trigger speaks for all, with their number."""
    root = builder.request("GET /report", 0, 2000)
    for number in range(40):
        builder.event("logs", "log record", number * 100, attributes=log(f"miss {number}"))
    builder.event("logs", "log record", 1500, attributes=log("miss elsewhere", line=2))

    found = other_events_of(builder.incident(builder.slow(root, 2000), closed_ms=4000))

    assert [(each.times, each.text.split(" (")[0]) for each in found.entries] == [
        (1, "WARNING shop: miss elsewhere"),
        (40, "WARNING shop: miss 20"),
    ]
    assert (found.events, found.left_out) == (41, 0)


def test_measurements_are_yields_to_what_changed(builder: IncidentBuilder) -> None:
    """From the first to the last, in natural units; what hardly changed is not mentioned."""
    for second in range(5):
        builder.event(
            "process",
            "process vitals",
            second * 1000,
            attributes={
                "process.memory.usage": (100 + 5 * second) * 1024**2,
                "process.cpu.time": 1.5 + second,
                "process.cpu.utilization": 0.25 + second / 100,
                "flight_recorder.held_back_ns": 3 * MS + second * MS,
                "process.thread.count": 100 + second,
            },
        )

    (told,) = other_events_of(builder.incident(closed_ms=6000)).entries

    assert told.times == 5
    assert told.text == (
        "memory 100.0 MiB → 120.0 MiB, cpu time 1.5s → 5.5s, cpu utilization 25% → 29%, "
        "held back 3ms → 7ms"
    )


def test_intervals_of_one_kind_are_summed_up(builder: IncidentBuilder) -> None:
    """How often, how long in all, and how long at most."""
    for number in range(4):
        start = number * 100
        builder.event("gc", "gc pause", start, start + 10 + number, attributes={"generation": 2})

    (told,) = other_events_of(builder.incident(closed_ms=6000)).entries

    assert (told.times, told.text) == (4, "46ms in all, the longest 13ms")


def test_what_the_timeline_draws_is_not_told_again(builder: IncidentBuilder) -> None:
    """A pause in the trigger's request is in its tree, one before it is not; samples are spans."""
    builder.event("gc", "gc pause", 10, 20)
    root = builder.request("GET /report", 100, 2000)
    builder.event("gc", "gc pause", 500, 600)
    builder.event("event_loop", "event loop blocked", 700, 900, thread_id=get_ident())
    builder.event("stacks", "running", 500, span=root, places=[place("f", "/app/f.py", 1)])

    found = other_events_of(builder.incident(builder.slow(root, 2000), closed_ms=3000))

    assert [(each.name, each.offset_ns) for each in found.entries] == [("gc pause", 10 * MS)]
    assert found.events == 1


def test_scarce_room_goes_to_the_triggers_own_and_to_failures(builder: IncidentBuilder) -> None:
    """Then to what was close; what is left out is counted."""
    root = builder.request("GET /report", 0, 2000)
    builder.event("logs", "log record", 5, span=root, attributes=log("own", line=1))
    builder.event("logs", "log record", 6, attributes=log("failure", level=40, line=2))
    for number in range(10):
        builder.event("logs", "log record", 1000 + number, attributes=log("other", line=9 + number))

    found = other_events_of(builder.incident(builder.slow(root, 2000), closed_ms=3000), most=3)

    assert [each.text.split(" (")[0].rpartition(" ")[2] for each in found.entries] == [
        "own",
        "failure",
        "other",
    ]
    assert found.entries[2].offset_ns == 1009 * MS
    assert (found.events, found.left_out) == (12, 9)


def test_an_event_of_another_request_names_it(builder: IncidentBuilder) -> None:
    """Of another trace, the request is named that it happened in."""
    root = builder.request("GET /report", 0, 2000)
    other = builder.open("POST /cart", 100)
    inner = builder.span("insert", 110, 120, other)
    builder.end(other, 200)
    builder.event("logs", "log record", 115, span=inner, attributes=log("full"))

    (told,) = other_events_of(builder.incident(builder.slow(root, 2000), closed_ms=3000)).entries

    assert (told.span, told.is_own) == ("POST /cart", False)
