"""Which task died that had what somebody waits for; the tasks are real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from otel_flight.sources.stacks.dead_tasks import death_with, errors_of_dead


class Shipping:
    """Has its queue in an attribute."""

    def __init__(self) -> None:
        self.parcels: asyncio.Queue[str] = asyncio.Queue()

    async def ship_all(self) -> None:
        """Fail at the first one."""
        raise KeyError(await self.parcels.get())


def death(make: Callable[[Any], Coroutine[Any, Any, None]], thing: Any, asked_for: Any) -> str:
    """Let a task die of a coroutine that is given a thing; return what is told of another."""

    async def die() -> str:
        task = asyncio.create_task(make(thing))
        await asyncio.wait([task])
        told = death_with(asked_for, errors_of_dead([task]))
        assert getattr(task, "_log_traceback", True), "it was taken note of"
        assert task.exception() is not None
        return told

    return asyncio.run(die())


async def answer(future: object) -> None:
    """Have a thing in a variable, and fail."""
    parse(future)


def parse(_: object) -> None:
    """Fail further in."""
    raise ValueError("no address")


def test_a_task_that_had_it_in_a_variable_is_told() -> None:
    """With the innermost function; and its exception is still one that nobody has asked for."""
    thing = object()

    told = death(answer, thing, thing)

    assert told.startswith("ValueError in parse (")


def test_a_task_that_had_it_in_its_object_is_told() -> None:
    """Which the method was called of."""
    shipping = Shipping()
    shipping.parcels.put_nowait("x")

    told = death(lambda _: shipping.ship_all(), None, shipping.parcels)

    assert "ship_all (" in told


def test_another_task_is_not() -> None:
    """However it died."""
    assert death(answer, object(), object()) == ""


def test_tasks_that_live_or_were_cancelled_are_passed() -> None:
    """Nothing is wrong with these."""

    async def look() -> str:
        thing = object()
        living = asyncio.create_task(asyncio.sleep(60, thing))
        cancelled = asyncio.create_task(asyncio.sleep(60, thing))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        told = death_with(thing, errors_of_dead([living, cancelled]))
        living.cancel()
        return told

    assert asyncio.run(look()) == ""
