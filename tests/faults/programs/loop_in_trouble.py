"""A service on an event loop with faults that no rule was written for, each behind a path."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Final

import anyio
import grpc
import httpx
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from switch import IS_FAULTY

_SECONDS: Final = 0.9 if IS_FAULTY else 0.01
_NEVER: Final = 30 if IS_FAULTY else 0.01
_silent: Final = socket.create_server(("127.0.0.1", 0))


@asynccontextmanager
async def _life(_: FastAPI) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(index_all()) for _ in range(2)]
    yield
    for task in tasks:
        task.cancel()


app = FastAPI(lifespan=_life)


async def ask_price() -> int:
    """Ask who never answers."""
    await asyncio.sleep(_NEVER)
    return 12


@app.get("/quote")
async def quote() -> dict[str, int]:
    """Give up after a limit, and answer something else."""
    price = 0
    with suppress(asyncio.TimeoutError):
        if sys.version_info >= (3, 11):
            async with asyncio.timeout(0.9):
                price = await ask_price()
        else:
            price = await asyncio.wait_for(ask_price(), 0.9)
    return {"price": price}


@app.get("/rate")
async def rate() -> dict[str, int]:
    """Go on without what takes too long."""
    price = 0
    with anyio.move_on_after(0.9):
        price = await ask_price()
    return {"price": price}


@app.get("/offer")
async def offer() -> dict[str, int]:
    """Fail when it takes too long."""
    with anyio.fail_after(0.9):
        return {"price": await ask_price()}


async def current_user() -> AsyncIterator[str]:
    """Open a session slowly, before the view runs."""
    await asyncio.sleep(_SECONDS)
    yield "me"


@app.get("/profile")
async def profile(user: Annotated[str, Depends(current_user)]) -> dict[str, str]:
    """Do nothing of it by itself."""
    return {"user": user}


def read_tape() -> str:
    """Take long on a thread of asyncio's."""
    time.sleep(_SECONDS)
    return "data"


@app.get("/tape")
async def tape() -> dict[str, str]:
    """Leave the work to a thread."""
    return {"data": await asyncio.to_thread(read_tape)}


_busy = threading.Event()


async def index_all() -> None:
    """Compute beside the requests, in pieces that are not small."""
    while True:
        await asyncio.sleep(0.02)
        if _busy.is_set():
            crunch()


def crunch() -> int:
    """Compute for a quarter of a second."""
    until = time.thread_time() + 0.25
    number = 0
    while time.thread_time() < until:
        number += sum(range(1000))
    return number


@app.get("/hop")
async def hop() -> dict[str, str]:
    """Wait for the loop again and again, which others keep busy."""
    if IS_FAULTY:
        _busy.set()
    for _ in range(3):
        await asyncio.sleep(0.01)
    _busy.clear()
    return {"status": "there"}


_few: Final = ThreadPoolExecutor(2)


def compact(seconds: float) -> None:
    """Do what no request has asked for."""
    time.sleep(seconds)


@app.get("/resize")
async def resize() -> dict[str, str]:
    """Need a thread of a pool that others fill."""
    if IS_FAULTY:
        for _ in range(2):
            _few.submit(compact, 0.9)
    await asyncio.get_running_loop().run_in_executor(_few, compact, 0.01)
    return {"status": "resized"}


_full = asyncio.Condition()


async def wait_for_room() -> None:
    """Wait until somebody makes room."""
    async with _full:
        await _full.wait()


async def _make_room() -> None:
    await asyncio.sleep(_SECONDS)
    async with _full:
        _full.notify_all()


@app.get("/park")
async def park() -> dict[str, str]:
    """Wait for a condition."""
    task = asyncio.create_task(_make_room())
    await wait_for_room()
    await task
    return {"status": "parked"}


def rows() -> Iterator[str]:
    """Make a line after the other, each slowly."""
    for number in range(3):
        time.sleep(_SECONDS / 3)
        yield f"{number}\n"


@app.get("/lines")
async def lines() -> StreamingResponse:
    """Answer in pieces, which a thread makes."""
    return StreamingResponse(rows())


async def fetch_stock() -> int:
    """Ask a service that accepts, and says nothing."""
    port = _silent.getsockname()[1]
    async with httpx.AsyncClient(timeout=0.9) as client:
        with suppress(httpx.TimeoutException):
            return (await client.get(f"http://127.0.0.1:{port}/")).status_code
    return 0


@app.get("/stock")
async def stock() -> dict[str, int]:
    """Give up on another service."""
    return {"stock": await fetch_stock() if IS_FAULTY else 0}


async def ask_rates() -> bytes:
    """Call a remote procedure whose server does not speak."""
    port = _silent.getsockname()[1]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary("/Rates/Get")
        with suppress(grpc.aio.AioRpcError):
            return bytes(await call(b"", timeout=0.9, wait_for_ready=True))
    return b""


@app.get("/rates")
async def rates() -> dict[str, int]:
    """Ask for rates."""
    return {"rates": len(await ask_rates() if IS_FAULTY else b"")}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
