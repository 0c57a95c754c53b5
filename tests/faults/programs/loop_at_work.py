"""A service on an event loop with many things that can take long, each behind a path of its own."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01


async def poll_status() -> str:
    """Ask again and again."""
    for _ in range(3):
        await asyncio.sleep(_SECONDS / 3)
    return "ready"


@app.get("/poll")
async def poll() -> dict[str, str]:
    """Sleep between two looks."""
    return {"status": await poll_status()}


_stock = asyncio.Lock()


async def count_stock() -> None:
    """Count all there is, and let nobody change it meanwhile."""
    async with _stock:
        await asyncio.sleep(_SECONDS + 0.3 * IS_FAULTY)


@app.get("/count")
async def count() -> dict[str, str]:
    """Have the lock."""
    await count_stock()
    return {"status": "counted"}


async def take_item() -> None:
    """Change the stock."""
    async with _stock:
        await asyncio.sleep(0)


@app.get("/take")
async def take() -> dict[str, str]:
    """Wait for a lock that another task has."""
    await take_item()
    return {"status": "taken"}


async def next_event(events: asyncio.Queue[str]) -> str:
    """Take the next one."""
    return await events.get()


@app.get("/events")
async def events() -> dict[str, str]:
    """Wait for what another task puts into a queue."""
    waiting: asyncio.Queue[str] = asyncio.Queue()
    asyncio.get_running_loop().call_later(_SECONDS, waiting.put_nowait, "changed")
    return {"event": await next_event(waiting)}


async def ask_stock() -> str:
    """Ask another service that never answers."""
    await asyncio.sleep(30 if IS_FAULTY else 0.01)
    return "12"


@app.get("/guess")
async def guess() -> dict[str, str]:
    """Give up after a limit, and answer something else."""
    try:
        return {"stock": await asyncio.wait_for(ask_stock(), 0.9)}
    except asyncio.TimeoutError:
        return {"stock": "unknown"}


async def wait_for_manager(decided: asyncio.Event) -> bool:
    """Wait until somebody says yes."""
    return await decided.wait()


@app.get("/approve")
async def approve() -> dict[str, bool]:
    """Wait for an event."""
    decided = asyncio.Event()
    asyncio.get_running_loop().call_later(_SECONDS, decided.set)
    return {"approved": await wait_for_manager(decided)}


async def fetch(number: int) -> int:
    """Fetch one of several; one of them is slow."""
    await asyncio.sleep(_SECONDS if number == 3 else 0.01)
    return number


@app.get("/gather")
async def gather() -> dict[str, list[int]]:
    """Wait for several, of which one is slow."""
    return {"found": list(await asyncio.gather(*(fetch(number) for number in range(5))))}


_slots = asyncio.Semaphore(1)


async def use_slot(seconds: float) -> None:
    """Have the one slot there is."""
    async with _slots:
        await asyncio.sleep(seconds)


@app.get("/hold")
async def hold() -> dict[str, str]:
    """Have the slot for long."""
    await use_slot(_SECONDS + 0.3 * IS_FAULTY)
    return {"status": "done"}


@app.get("/slot")
async def slot() -> dict[str, str]:
    """Wait for a slot."""
    await use_slot(0.01)
    return {"status": "done"}


async def convert() -> None:
    """Let another program do it."""
    process = await asyncio.create_subprocess_exec("sleep", str(_SECONDS))
    await process.wait()


@app.get("/picture")
async def picture() -> dict[str, str]:
    """Wait for another program."""
    await convert()
    return {"status": "converted"}


def read_settings() -> int:
    """Block whoever calls."""
    time.sleep(_SECONDS)
    return 1


@app.get("/settings")
async def settings() -> dict[str, int]:
    """Block the loop oneself."""
    return {"settings": read_settings()}


@app.get("/lookup")
async def lookup() -> dict[str, str]:
    """Be held up by another request that blocks the loop."""
    await asyncio.sleep(0.1)
    return {"status": "found"}


async def read_upstream(reader: asyncio.StreamReader) -> bytes:
    """Wait for a peer."""
    return await reader.read(10)


@app.get("/proxy")
async def proxy() -> dict[str, str]:
    """Wait for a peer that nothing was instrumented for."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(_SECONDS)
        writer.write(b"late")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    try:
        return {"answer": (await read_upstream(reader)).decode()}
    finally:
        writer.close()
        server.close()


async def make_page() -> int:
    """Compute, and let others run from time to time."""
    until, turns = time.perf_counter() + _SECONDS, 0
    while time.perf_counter() < until:
        turns += sum(range(20_000))
        await asyncio.sleep(0)
    return turns


@app.get("/page")
async def page() -> dict[str, int]:
    """Compute in small pieces."""
    return {"page": await make_page()}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
