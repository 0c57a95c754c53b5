"""Tasks and their contexts are found from outside, on every interpreter."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

from otel_flight.interpreter.concurrency.tasks import (
    context_of,
    current_task,
    running_loop,
    running_task,
)

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="")


def test_no_task_runs_where_no_loop_does() -> None:
    """A thread of a server without asyncio has none, and that is no error."""
    assert current_task() is None
    assert running_loop() is None


def test_the_running_task_is_known() -> None:
    """On its own thread, and on every other one."""

    async def main() -> None:
        task = asyncio.current_task()
        assert current_task() is task
        assert running_loop() is asyncio.get_running_loop()
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(running_task, loop).result() is task

    asyncio.run(main())


def test_the_context_of_a_waiting_task_is_found() -> None:
    """It has the values that were set in that task, and in no other."""

    async def wait(value: str, started: asyncio.Event) -> None:
        VARIABLE.set(value)
        started.set()
        await asyncio.sleep(60)

    async def main() -> list[str]:
        found = []
        for value in ("a", "b"):
            started = asyncio.Event()
            task = asyncio.create_task(wait(value, started))
            await started.wait()
            context = context_of(task)
            assert context is not None
            found.append(context[VARIABLE])
            task.cancel()
        return found

    assert asyncio.run(main()) == ["a", "b"]
