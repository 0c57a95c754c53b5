"""Where a task waits is found through all that lies between its coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from otel_flight.interpreter.concurrency.await_chain import chain_of


class Proxy:
    """Stands around a coroutine and what it is awaited by, as those of monitoring agents do."""

    def __init__(self, work: Any) -> None:
        self.context = {"began": 1}
        self._work = work

    def __await__(self) -> Proxy:
        """Return what is awaited, which is watched as well."""
        return Proxy(self._work.__await__())

    def __iter__(self) -> Proxy:
        """Return itself."""
        return self

    def __next__(self) -> Any:
        """Go on."""
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Go on."""
        return self._work.send(value)

    def throw(self, *error: Any) -> Any:
        """Fail."""
        return self._work.throw(*error)


class SlottedProxy(Proxy):
    """Has no dict for its work."""

    __slots__ = ("_work",)


async def _inner(event: asyncio.Event) -> None:
    await event.wait()


async def _outer(around: Callable[[Any], Any], event: asyncio.Event) -> None:
    await around(_inner(event))


async def _names(around: Callable[[Any], Any]) -> list[str]:
    event = asyncio.Event()
    task = asyncio.ensure_future(_outer(around, event))
    await asyncio.sleep(0)
    names = [frame.code.co_name for frame in chain_of(task).frames]
    event.set()
    await task
    return names


@pytest.mark.parametrize(
    "around",
    [
        pytest.param(lambda work: work, id="nothing"),
        Proxy,
        SlottedProxy,
        pytest.param(lambda work: Proxy(Proxy(work)), id="two proxies"),
    ],
)
def test_what_stands_around_a_coroutine_is_passed(around: Callable[[Any], Any]) -> None:
    """The functions are those that would be there without it."""
    names = asyncio.run(_names(around))

    assert names == ["_outer", "_inner", "wait"]


def test_who_makes_an_answer_in_pieces_is_seen_and_not_who_listens_for_its_client() -> None:
    """Starlette listens in the request's own task, and makes the answer in another one."""
    responses = pytest.importorskip("starlette.responses")

    async def look() -> list[str]:
        never = asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            await never.wait()
            yield b""

        async def receive() -> dict[str, str]:
            await never.wait()
            return {"type": "http.disconnect"}

        async def send(message: object) -> None:
            """Take what comes."""

        response = responses.StreamingResponse(pieces())
        task = asyncio.create_task(response({"type": "http"}, receive, send))
        for _ in range(10):
            await asyncio.sleep(0)
        seen = [frame.code.co_name for frame in chain_of(task).frames]
        never.set()
        await task
        return seen

    assert "pieces" in asyncio.run(look())


def test_a_shielded_task_is_what_is_waited_for() -> None:
    """Whose name the callbacks of `shield` know besides that of who waits, from Python 3.14 on."""

    async def load(never: asyncio.Event) -> None:
        await never.wait()

    async def ask(loading: asyncio.Task[None]) -> None:
        await asyncio.shield(loading)

    async def look() -> list[str]:
        never = asyncio.Event()
        asking = asyncio.create_task(ask(loading := asyncio.create_task(load(never))))
        for _ in range(3):
            await asyncio.sleep(0)
        seen = [frame.code.co_name for frame in chain_of(asking).frames]
        never.set()
        await asyncio.gather(loading, asking)
        return seen

    assert asyncio.run(look()) == ["ask", "load", "wait"]
