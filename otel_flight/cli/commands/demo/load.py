"""The customers of the demo's shop: some requests at once, again and again."""

from __future__ import annotations

import asyncio
import itertools
from typing import Final

import httpx

CUSTOMERS: Final = 6
_THINK_SECONDS: Final = 0.02
_REQUESTS: Final = (
    ("GET", "/items"),
    ("GET", "/items/tea-42"),
    ("GET", "/items"),
    ("POST", "/orders"),
    ("GET", "/items/mug-7"),
    ("GET", "/items"),
    ("GET", "/items/pot-3"),
)


class Load:
    """Customers who come as soon as it is entered, and leave when it is left.

    Attributes:
        requests: answered so far.
    """

    def __init__(self, base_url: str) -> None:
        self.requests = 0
        self._base_url = base_url
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._shop(each)) for each in range(CUSTOMERS)]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _shop(self, customer: int) -> None:
        async with httpx.AsyncClient(base_url=self._base_url, timeout=10) as client:
            for method, path in itertools.cycle(_REQUESTS[customer:] + _REQUESTS[:customer]):
                await client.request(method, path)
                self.requests += 1
                await asyncio.sleep(_THINK_SECONDS)


async def ask(base_url: str, method: str, path: str) -> int:
    """Send one request and return the status of its answer."""
    async with httpx.AsyncClient(base_url=base_url, timeout=10) as client:
        return (await client.request(method, path)).status_code


async def is_up(base_url: str) -> bool:
    """Tell whether the service answers."""
    try:
        return await ask(base_url, "GET", "/health") == httpx.codes.OK
    except httpx.TransportError:
        return False
