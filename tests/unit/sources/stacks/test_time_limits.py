"""The time limits that a waiting task is under, with real tasks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import anyio
import pytest

from otel_flight.interpreter.concurrency.await_chain import chain_of
from otel_flight.sources.stacks.time_limits import TimeLimit, nearest_limit

SECOND = 1_000_000_000
LONG = 3600.0


async def wait_long() -> None:
    """Wait for what does not come."""
    await asyncio.get_running_loop().create_future()


async def under_a_timeout() -> None:
    """Set a limit as asyncio has it."""
    if sys.version_info >= (3, 11):
        async with asyncio.timeout(LONG):
            await wait_long()


async def under_wait_for() -> None:
    """Set a limit for one call."""
    await asyncio.wait_for(wait_long(), LONG)


async def under_fail_after() -> None:
    """Set a limit as anyio has it."""
    with anyio.fail_after(LONG):
        await wait_long()


async def under_move_on_after() -> None:
    """Set one that raises nothing, around a group of tasks."""
    with anyio.move_on_after(LONG):
        async with anyio.create_task_group() as group:
            group.start_soon(wait_long)


async def under_two() -> None:
    """Set a limit that is over later than the one within."""
    with anyio.move_on_after(2 * LONG):
        await under_fail_after()


async def under_none() -> None:
    """Sleep, which sets a timer, too."""
    with anyio.CancelScope():
        await asyncio.sleep(LONG)


def seen(work: Callable[[], Awaitable[None]]) -> TimeLimit | None:
    """Return the limit of a task that does this, when it waits."""

    async def look() -> TimeLimit | None:
        task = asyncio.ensure_future(work())
        for _ in range(20):
            await asyncio.sleep(0)
        chain = chain_of(task)
        found = nearest_limit(chain.tasks, chain.frames)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return found

    return asyncio.run(look())


@pytest.mark.parametrize(
    ("work", "function"),
    [
        pytest.param(
            under_a_timeout,
            "under_a_timeout",
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="since Python 3.11"),
        ),
        (under_wait_for, "under_wait_for"),
        (under_fail_after, "under_fail_after"),
        (under_move_on_after, "under_move_on_after"),
        (under_two, "under_fail_after"),
    ],
)
def test_who_set_it_and_how_long_there_is(
    work: Callable[[], Awaitable[None]], function: str
) -> None:
    """Of several, the one that is over first; of a library's, the application's function."""
    found = seen(work)

    assert found is not None
    assert found.frame.code.co_name == function
    assert (LONG - 60) * SECOND < found.left_ns <= LONG * SECOND


def test_a_sleep_is_no_limit() -> None:
    """Nor is a scope without a deadline."""
    assert seen(under_none) is None
