"""Which thread held the interpreter, from what each used of the processor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from otel_flight.recording.open_spans import OpenSpans
from otel_flight.sources.gil.holder import choose, find_holder
from otel_flight.sources.kernel.thread_clocks import ThreadClocks, Used
from tests.support.spans.made_span import SPAN_ID, TRACE_ID, made_span

MS = 1_000_000
LATE_NS = 1000 * MS


def used(*milliseconds: int) -> list[Used]:
    """Return threads 1, 2, … that used so much."""
    return [Used(number, each * MS) for number, each in enumerate(milliseconds, 1)]


@pytest.mark.parametrize(
    ("threads", "cpu_ms", "chosen"),
    [
        pytest.param(used(3, 980, 0), 985, 2, id="one-computed"),
        pytest.param(used(400, 10), 415, 1, id="one-computed-on-a-busy-machine"),
        pytest.param(used(500, 480), 985, 0, id="two-computed"),
        pytest.param(used(5, 4), 990, 0, id="the-one-that-computed-has-ended"),
        pytest.param(used(5), 990, 0, id="the-one-that-is-left-did-not"),
        pytest.param(used(2), 4, 1, id="it-waited-and-nobody-else-is-there"),
        pytest.param(used(2, 1), 4, 0, id="one-of-several-waited"),
        pytest.param(used(200, 5), 205, 1, id="one-computed-on-a-very-busy-machine"),
        pytest.param(used(200, 40), 240, 0, id="not-alone-on-a-very-busy-machine"),
        pytest.param(used(140), 150, 0, id="it-may-have-computed-before-it-was-asked"),
        pytest.param([], 990, 0, id="nobody"),
        pytest.param([], 0, 0, id="nobody-and-nothing"),
    ],
)
def test_the_thread_that_alone_had_a_processor(
    threads: list[Used], cpu_ms: int, chosen: int
) -> None:
    """None where it is in doubt: no name is better than a wrong one."""
    assert choose(threads, LATE_NS, cpu_ms * MS, 100 * MS) == chosen


class KnownClocks(ThreadClocks):
    """Clocks that say what a test wants."""

    def __init__(self, *found: Used) -> None:
        super().__init__()
        self.found = list(found)

    def used(self) -> list[Used]:
        """Return it."""
        return self.found


@contextmanager
def waiting_thread() -> Iterator[int]:
    """A thread that waits in a function with a name."""
    release, ready = threading.Event(), threading.Event()

    def crunch_numbers() -> None:
        ready.set()
        release.wait(20)

    thread = threading.Thread(target=crunch_numbers)
    thread.start()
    assert ready.wait(20)
    assert thread.ident is not None
    yield thread.ident
    release.set()
    thread.join(20)


def spans_on(*threads: int) -> OpenSpans:
    """Return local roots that are open on these threads."""
    open_spans = OpenSpans(100)
    for number, thread_id in enumerate(threads):
        open_spans.roots[number] = (made_span(), thread_id, None, 0)
    return open_spans


def test_the_holder_is_named_with_its_function_and_request() -> None:
    """The application's function on its stack, and the one request that the thread serves."""
    with waiting_thread() as thread_id:
        holder = find_holder(
            KnownClocks(Used(thread_id, LATE_NS), Used(1, 0)),
            spans_on(thread_id, threading.get_ident()),
            LATE_NS,
            LATE_NS,
        )

    assert holder.thread_id == thread_id
    assert holder.attributes["code.function.name"].endswith("crunch_numbers")
    assert holder.attributes["code.file.path"] == __file__
    assert holder.attributes["flight_recorder.holder.cpu_ns"] == LATE_NS
    assert len(holder.places) > 2
    assert (holder.trace_id, holder.span_id) == (TRACE_ID, SPAN_ID)


def test_a_thread_that_has_done_its_work_is_in_no_function() -> None:
    """Where a pool's thread waits for the next work says nothing about the last."""
    with ThreadPoolExecutor(1) as pool:
        thread_id = pool.submit(threading.get_ident).result(20)
        holder = find_holder(KnownClocks(Used(thread_id, LATE_NS)), spans_on(), LATE_NS, LATE_NS)

    assert holder.thread_id == thread_id
    assert holder.places == ()
    assert "code.function.name" not in holder.attributes


def test_of_several_requests_on_the_thread_none_is_named() -> None:
    """Which of them it was cannot be told."""
    with waiting_thread() as thread_id:
        holder = find_holder(
            KnownClocks(Used(thread_id, LATE_NS)), spans_on(thread_id, thread_id), LATE_NS, LATE_NS
        )

    assert holder.thread_id == thread_id
    assert (holder.trace_id, holder.span_id) == (0, 0)


def test_a_thread_that_runs_without_the_interpreter_is_not_the_one() -> None:
    """However much it used: what it used is taken away, and the other one is named."""
    with waiting_thread() as thread_id:
        holder = find_holder(
            KnownClocks(Used(1, LATE_NS, is_running=True), Used(thread_id, LATE_NS)),
            spans_on(),
            LATE_NS,
            2 * LATE_NS,
        )

    assert holder.thread_id == thread_id


@pytest.mark.parametrize(
    ("threads", "number"),
    [(used(500, 480, 3), 2), (used(5, 3), 0)],
    ids=["two-shared-it", "it-has-ended"],
)
def test_where_no_single_thread_is_known_it_is_contended(threads: Any, number: int) -> None:
    """With the number of threads that shared the interpreter, as far as they are still there."""
    holder = find_holder(KnownClocks(*threads), spans_on(), LATE_NS, 985 * MS)

    assert holder.is_contended
    assert holder.thread_id == 0
    assert holder.attributes == {"flight_recorder.contenders": number}


def test_who_waited_and_held_on_is_not_known_among_several() -> None:
    """Nobody used the processor and more than one could have: held, by whom is not said."""
    holder = find_holder(KnownClocks(*used(2, 1)), spans_on(), LATE_NS, 4 * MS)

    assert not holder.is_contended
    assert holder.thread_id == 0
    assert holder.attributes == {}
