"""What a greenlet waits for whose lock or queue is compiled, and has no frame of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otel_flight.interpreter.frames import CAN_READ_FRAMES, suspended_stack
from otel_flight.sources.stacks.waits import Wait, wait_of_greenlet

gevent = pytest.importorskip("gevent")
lock_module = pytest.importorskip("gevent.lock")
queues = pytest.importorskip("gevent.queue")

pytestmark = pytest.mark.skipif(
    not CAN_READ_FRAMES, reason="the frames of greenlets are not read here"
)


def seen(work: Callable[[], object]) -> Wait:
    """Return what a greenlet waits for that does some work."""
    greenlet = gevent.spawn(work)
    gevent.sleep(0)
    try:
        return wait_of_greenlet(suspended_stack(greenlet))
    finally:
        greenlet.kill()


def test_a_block_that_needs_a_lock_is_told() -> None:
    """By the name that the program has for the lock."""
    stock = lock_module.BoundedSemaphore(1)
    stock.acquire()

    def change() -> None:
        with stock:
            pass

    wait = seen(change)

    assert (wait.kind, wait.text) == ("lock", "stock")


def test_a_call_of_acquire_is_told() -> None:
    """Like a block."""
    stock = lock_module.BoundedSemaphore(1)
    stock.acquire()

    def change() -> None:
        stock.acquire()

    wait = seen(change)

    assert (wait.kind, wait.text) == ("lock", "stock")


def test_a_full_queue_is_told() -> None:
    """And not an event, by which all of gevent waits."""
    parcels = queues.Queue(1)
    parcels.put(1)

    def add() -> None:
        parcels.put(2)

    wait = seen(add)

    assert (wait.kind, wait.text) == ("queue", "parcels.put")


def test_another_call_is_told_as_the_program_has_it() -> None:
    """It is an event, as far as can be told."""
    ready = pytest.importorskip("gevent.event").Event()

    def wait_until_ready() -> None:
        ready.wait()

    wait = seen(wait_until_ready)

    assert (wait.kind, wait.text) == ("event", "ready.wait")
