"""A service on an event loop that has too much of its own to do, or hands it to who is slow."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from asgiref.sync import sync_to_async
from fastapi import FastAPI
from switch import IS_FAULTY

app = FastAPI()
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01
_kept: Final[list[Any]] = []


def run_query(seconds: float) -> None:
    """Ask a database, on the one thread that asgiref has for what is not safe on others."""
    time.sleep(seconds)


@app.get("/history")
async def history() -> dict[str, str]:
    """Keep that thread for long."""
    await sync_to_async(run_query)(_SECONDS + 0.3 * IS_FAULTY)
    return {"status": "read"}


@app.get("/orders")
async def orders() -> dict[str, str]:
    """Wait for that thread."""
    await sync_to_async(run_query)(0.001)
    return {"status": "read"}


async def read_slowly(received: MemoryObjectReceiveStream[int]) -> None:
    """Take one, and be slow with it."""
    async with received:
        async for _ in received:
            await asyncio.sleep(_SECONDS)


async def push_events(sent: MemoryObjectSendStream[int]) -> None:
    """Hand on what nobody takes."""
    async with sent:
        for number in range(2):
            await sent.send(number)


@app.get("/pushed")
async def pushed() -> dict[str, str]:
    """Wait for who takes out of a stream."""
    sent, received = anyio.create_memory_object_stream[int](0)
    _kept.append(asyncio.create_task(read_slowly(received)))
    await push_events(sent)
    return {"status": "pushed"}


def on_tick(number: int) -> None:
    """Do a little, for each of very many."""
    _kept[:] = [sum(range(200)), number]


@app.get("/ticks")
async def ticks() -> dict[str, str]:
    """Be called after very many others."""
    loop = asyncio.get_running_loop()
    for number in range(200_000 * IS_FAULTY):
        loop.call_soon(on_tick, number)
    await asyncio.sleep(0)
    return {"status": "told"}


class Basket:
    """Something whose description takes long to make."""

    def __str__(self) -> str:
        time.sleep(_SECONDS)
        return "a basket"


@app.get("/logged")
async def logged() -> dict[str, str]:
    """Log what takes long to describe."""
    logging.getLogger("basket").warning("ordered %s", Basket())
    return {"status": "logged"}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
