"""Which spans of a dead process were open, by the records in its ring."""

from __future__ import annotations

import pytest

from otel_flight.incidents.open_at_death import open_at_death
from otel_flight.incidents.window import WindowRecord
from otel_flight.records.records import Span, SpanStart

START = SpanStart(1, 2, 3, 0, 1, 0, "GET /", 0, 10, 7)
OTHER = Span(9, 9, 9, 0, 1, 0, "GET /", 0, 10, 20, {}, (), (), 0)
END = Span(1, 2, 3, 0, 1, 0, "GET /", 0, 10, 20, {}, (), (), 0)


@pytest.mark.parametrize(
    ("records", "count"),
    [
        ([START], 1),
        ([START, START], 1),
        ([START, END], 0),
        ([END, START], 0),  # the start was recorded at a tick, or replayed
    ],
)
def test_what_has_ended_was_not_open(records: list[Span | SpanStart], count: int) -> None:
    """In whichever order its start and its end came into the ring."""
    found = [WindowRecord(each, number, None, None) for number, each in enumerate(records)]

    opened = open_at_death(found, 30)

    assert len(opened.starts) == count
    assert (opened.segment is not None) == bool(count)


@pytest.mark.parametrize(
    ("records", "sent"),
    [
        ([START, END, START], []),
        ([OTHER, OTHER, START], []),
        ([START, OTHER], [3]),
        ([START, START], [3]),
        ([START, OTHER, START], [3]),
        ([START, OTHER, END], [3]),
        ([OTHER, START, END], [3]),
        ([START, END, OTHER], []),
        ([START, OTHER, START, END, OTHER], [3]),
    ],
)
def test_what_was_open_when_records_were_taken_is_known(
    records: list[Span | SpanStart], sent: list[int]
) -> None:
    """The incident that has the first two records has it as unfinished."""
    found = [WindowRecord(each, number, None, None) for number, each in enumerate(records)]

    assert open_at_death(found, 30, 2).sent_before == sent
