"""Which locks functions have acquired by calling `acquire`, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import CoroutineType, FrameType, GeneratorType
from typing import Any

import pytest

from otel_flight.sources.locks.acquisitions import acquired_at

Steps = Generator[str, None, None]
"""Yields, again and again, the names of the locks that are held where it does."""


class Free:
    """A lock that nobody else wants."""

    def acquire(self, *arguments: Any, **named: Any) -> bool:
        """Succeed."""
        return True

    def release(self) -> None:
        """Do nothing."""


class Shop:
    """Has two locks."""

    def __init__(self) -> None:
        self.lock = Free()
        self.other = Free()
        self.rows = [1, 2]


def in_a_row(shop: Shop) -> Steps:
    """Acquire and release, without more."""
    yield ""
    shop.lock.acquire()
    yield "shop.lock"
    shop.other.acquire()
    yield "shop.lock shop.other"
    shop.lock.release()
    yield "shop.other"
    shop.other.release()
    yield ""


def with_finally(shop: Shop) -> Steps:
    """Release however it ends, and return in the middle of it."""
    shop.lock.acquire()
    try:
        yield "shop.lock"
        for row in shop.rows:
            yield "shop.lock"
            if row == 2:
                return
        yield "never come here"
    finally:
        yield "shop.lock"
        shop.lock.release()
        yield ""


def with_an_error(shop: Shop) -> Steps:
    """Handle an error while the lock is held, and one while it may be held."""
    shop.lock.acquire()
    try:
        raise ValueError
    except ValueError:
        yield "shop.lock"
    try:
        shop.lock.release()
        raise ValueError
    except ValueError:
        yield ""


def in_a_loop(shop: Shop) -> Steps:
    """Acquire anew for each row, and release it again."""
    for _ in shop.rows:
        yield ""
        shop.lock.acquire()
        yield "shop.lock"
        shop.lock.release()
    yield ""


def around_a_loop(shop: Shop) -> Steps:
    """Let go of it within a loop, and take it again."""
    shop.lock.acquire()
    for _ in shop.rows:
        yield "shop.lock"
        shop.lock.release()
        yield ""
        shop.lock.acquire()
    yield "shop.lock"
    shop.lock.release()


def perhaps(shop: Shop) -> Steps:
    """Acquire only on one of two ways."""
    if shop.rows:
        shop.lock.acquire()
        yield "shop.lock"
    yield ""
    shop.lock.release()


def in_time(shop: Shop) -> Steps:
    """Acquire if that is possible in time, which this does not look at."""
    shop.lock.acquire(timeout=1)
    yield ""
    if shop.other.acquire():
        yield ""  # so it is, but not for certain for who does not look at the condition
        shop.other.release()
    shop.lock.release()


def released_elsewhere(shop: Shop) -> Steps:
    """Acquire what another function is to release."""
    shop.lock.acquire()
    yield ""


def with_a_new_lock(shop: Shop) -> Steps:
    """Give the name to another lock."""
    lock = shop.lock
    lock.acquire()
    yield "lock"
    lock = shop.other
    yield ""
    lock.release()


def released_without_a_name(shop: Shop) -> Steps:
    """Release something of which nobody can say what it is."""
    shop.lock.acquire()
    yield "shop.lock"
    [shop.lock][0].release()
    yield ""
    shop.lock.release()


@pytest.mark.parametrize(
    "function",
    [
        in_a_row,
        with_finally,
        with_an_error,
        in_a_loop,
        around_a_loop,
        perhaps,
        in_time,
        released_elsewhere,
        with_a_new_lock,
        released_without_a_name,
    ],
    ids=lambda function: str(function.__name__),
)
def test_only_what_is_held_on_every_way_there(function: Callable[[Shop], Steps]) -> None:
    """A lock that may have been released, or not acquired, is none that a function holds."""
    running = function(Shop())
    assert isinstance(running, GeneratorType)

    seen = [(expected, _names_at(running.gi_frame)) for expected in running]

    assert seen
    assert [names for _, names in seen] == [expected for expected, _ in seen]


class Once:
    """Is awaited once."""

    def __await__(self) -> Generator[None, None, None]:
        yield None


class AwaitedLock(Free):
    """A lock for coroutines, which is waited for when it is acquired."""

    async def acquire(self, *arguments: Any, **named: Any) -> bool:  # type: ignore[override]
        """Wait, and succeed."""
        await Once()
        return True


async def change(lock: AwaitedLock) -> None:
    """Hold a lock while something else is waited for."""
    await lock.acquire()
    try:
        await Once()
    finally:
        lock.release()
    await Once()


def test_a_lock_that_is_awaited_is_not_held_yet() -> None:
    """Who waits for `acquire` has not got it; who waits for something later has."""
    running = change(AwaitedLock())
    assert isinstance(running, CoroutineType)
    seen = []
    for _ in range(3):
        running.send(None)
        seen.append(_names_at(running.cr_frame))
    running.close()

    assert seen == ["", "lock", ""]


def test_a_cancelled_wait_has_acquired_nothing() -> None:
    """What handles the cancellation does not hold the lock."""

    async def give_up(lock: AwaitedLock) -> None:
        try:
            await lock.acquire()
            lock.release()
        except KeyError:
            await Once()

    running = give_up(AwaitedLock())
    assert isinstance(running, CoroutineType)
    running.send(None)
    running.throw(KeyError("given up"))

    names = _names_at(running.cr_frame)
    running.close()
    assert names == ""


def _names_at(frame: FrameType | None) -> str:
    assert frame is not None
    return " ".join(sorted(".".join(path) for path in acquired_at(frame.f_code, frame.f_lasti)))
