"""The table of open spans: bounded, and returning each long open span once."""

from __future__ import annotations

import threading

from otel_flight.recording.open_spans import OpenSpans


def opened(table: OpenSpans, *span_ids: int, is_root: bool = False) -> None:
    """Open spans, each the text of its id."""
    for span_id in span_ids:
        table.spans[span_id] = f"span {span_id}"
        if is_root:
            table.roots[span_id] = (f"span {span_id}", 77, None, 0)


def test_the_oldest_spans_go_when_there_are_too_many() -> None:
    """What is given up is counted, roots included."""
    table = OpenSpans(limit=3)
    opened(table, 1, 2, is_root=True)
    opened(table, 3, 4, 5)

    table.bound()

    assert list(table.spans) == [3, 4, 5]
    assert table.roots == {}
    assert table.evicted == 2


def test_a_table_within_its_limit_is_left_alone() -> None:
    """Nothing is given up as long as there is room."""
    table = OpenSpans(limit=3)
    opened(table, 1, 2, 3, is_root=True)

    table.bound()

    assert list(table.spans) == list(table.roots) == [1, 2, 3]
    assert table.evicted == 0


def test_a_root_that_is_not_open_any_more_is_forgotten() -> None:
    """A root whose end could not be recorded does not stay, nor look as if it were open."""
    table = OpenSpans(limit=3)
    opened(table, 1, 2, is_root=True)
    del table.spans[1]

    table.bound()

    assert list(table.roots) == [2]
    assert table.evicted == 0


def test_the_newest_roots_come_first() -> None:
    """Of very many local roots, those that just began are returned."""
    table = OpenSpans(limit=10)
    opened(table, 1, 2, 3, is_root=True)

    assert [span for span, *_ in table.newest_roots(2)] == ["span 3", "span 2"]


def test_a_span_is_returned_once_when_it_was_open_at_two_ticks() -> None:
    """Spans shorter than a tick never are, longer ones once, with their thread if known."""
    table = OpenSpans(limit=10)
    opened(table, 1, is_root=True)
    opened(table, 2, 3)
    assert table.take_long_open() == []

    del table.spans[3]
    opened(table, 4)

    assert table.take_long_open() == [("span 1", 77), ("span 2", 0)]
    assert table.take_long_open() == [("span 4", 0)]
    assert table.take_long_open() == []


def test_a_span_id_that_comes_again_is_returned_again() -> None:
    """What is remembered of a span goes with it."""
    table = OpenSpans(limit=10)
    for _ in range(2):
        opened(table, 1)
        table.take_long_open()
        assert table.take_long_open() == [("span 1", 0)]
        del table.spans[1]
        assert table.take_long_open() == []


def test_spans_may_come_and_go_meanwhile() -> None:
    """The ticker never stumbles over what application threads change."""
    table = OpenSpans(limit=50)
    stop = threading.Event()

    def work(first: int) -> None:
        number = first
        while not stop.is_set():
            number += 1
            opened(table, number, is_root=True)
            if number % 2:
                table.spans.pop(number, None)
                table.roots.pop(number, None)

    threads = [threading.Thread(target=work, args=(first << 40,)) for first in range(3)]
    for thread in threads:
        thread.start()
    returned = 0
    for _ in range(200):
        table.bound()
        returned += len(table.take_long_open())
    stop.set()
    for thread in threads:
        thread.join()
    table.bound()

    assert 40 <= len(table.spans) <= 50  # one that ended just then may have been given up for it
    assert table.roots.keys() <= table.spans.keys()
    assert table.evicted > 0
    assert returned > 0
