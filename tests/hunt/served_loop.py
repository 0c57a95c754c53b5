"""A server on an event loop, whose requests wait in every way, block the loop, or fail."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

from tests.hunt.hunt import Hunt, tracer


def run_loop(hunt: Hunt) -> None:
    """Serve until the hunt is over."""
    asyncio.run(_run(hunt))


async def _run(hunt: Hunt) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    while hunt.goes_on():
        await asyncio.gather(*[_serve() for _ in range(20)])


async def _serve() -> None:
    with tracer.start_as_current_span("request"):
        await random.choice(_WAYS)()


async def _descend(depth: int) -> None:
    """Wait in a stack of coroutines and asynchronous generators."""
    if depth <= 0:
        await asyncio.sleep(random.uniform(0, 0.03))
    elif depth % 3:
        await _descend(depth - 1)
    else:
        async for _ in _generate(depth):
            pass


async def _generate(depth: int) -> AsyncIterator[int]:
    await _descend(depth - 1)
    yield depth


async def _wait_deep() -> None:
    await _descend(random.randrange(60))


async def _wait_for_tasks() -> None:
    await asyncio.gather(*[_descend(random.randrange(12)) for _ in range(3)])


async def _wait_for_thread() -> None:
    await asyncio.to_thread(time.sleep, random.uniform(0, 0.02))


async def _block() -> None:
    time.sleep(random.uniform(0, 0.05))  # noqa: ASYNC251


async def _be_cancelled() -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_descend(30), 0.01)


async def _let_fail() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("nobody asks for this")

    asyncio.create_task(fail())  # noqa: RUF006


_WAYS = (_wait_deep, _wait_for_tasks, _wait_for_thread, _block, _be_cancelled, _let_fail)
